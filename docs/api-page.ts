/** /docs/api: the OpenAPI document as one readable static page. No script is needed to read it. */
import { escapeHtml, type Heading } from './page.ts';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type Schema = { [key: string]: Json };
type Operation = {
  operationId: string;
  tags: string[];
  summary: string;
  description?: string;
  parameters?: { name: string; in: string; required: boolean; description?: string; schema: Schema }[];
  requestBody?: { required: boolean; content: Record<string, { schema: Schema }> };
  responses: Record<string, { $ref?: string; description?: string; content?: Record<string, { schema: Schema }> }>;
  'x-berth-access': string;
  'x-berth-rate-class': string;
};
export type OpenApi = {
  info: { version: string; description: string };
  tags: { name: string; description: string }[];
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema>; responses: Record<string, { description: string }> };
};

const DEPTH_MAX = 4;

function refName(schema: Schema): string | null {
  const ref = schema['$ref'];
  return typeof ref === 'string' ? ref.replace('#/components/schemas/', '') : null;
}

function code(text: string): string {
  return `<code>${escapeHtml(text)}</code>`;
}

/** 'string', 'Instance', 'one of "a", "b"', 'list of Instance', 'integer or null'. */
function typeText(schema: Schema): string {
  const name = refName(schema);
  if (name !== null) return `<a href="#schema-${name}">${name}</a>`;
  if (Array.isArray(schema['enum'])) return schema['enum'].map((value) => code(JSON.stringify(value))).join(', ');
  if (schema['const'] !== undefined) return code(JSON.stringify(schema['const']));
  for (const key of ['anyOf', 'oneOf']) {
    const options = schema[key];
    if (Array.isArray(options)) return options.map((option) => typeText(option as Schema)).join(' or ');
  }
  const type = schema['type'];
  if (Array.isArray(type)) return type.join(' or ');
  if (type === 'array') return `list of ${typeText((schema['items'] ?? {}) as Schema)}`;
  if (type === 'object' && schema['additionalProperties'] && typeof schema['additionalProperties'] === 'object') {
    return `map to ${typeText(schema['additionalProperties'] as Schema)}`;
  }
  if (typeof type !== 'string') return 'anything';
  const bounds: string[] = [];
  for (const [key, sign] of [
    ['minimum', '&ge; '],
    ['maximum', '&le; '],
    ['minLength', 'length &ge; '],
    ['maxLength', 'length &le; '],
  ] as const) {
    const value = schema[key];
    if (typeof value === 'number' && Math.abs(value) < Number.MAX_SAFE_INTEGER) bounds.push(`${sign}${value}`);
  }
  if (typeof schema['format'] === 'string') bounds.push(escapeHtml(schema['format']));
  return bounds.length === 0 ? type : `${type} <small>(${bounds.join(', ')})</small>`;
}

function inlineObject(schema: Schema): Schema | null {
  if (schema['properties'] !== undefined) return schema;
  const items = schema['items'];
  if (typeof items === 'object' && items !== null && !Array.isArray(items)) return inlineObject(items);
  const options = schema['anyOf'] ?? schema['oneOf'];
  if (!Array.isArray(options)) return null;
  const objects = options.map((option) => inlineObject(option as Schema)).filter((option) => option !== null);
  return objects.length === 1 ? (objects[0] ?? null) : null;
}

/** The fields of an object as table rows; nested nameless objects are indented below. */
function rows(schema: Schema, depth = 0): string {
  const properties = (schema['properties'] ?? {}) as Record<string, Schema>;
  const required = new Set((schema['required'] ?? []) as string[]);
  return Object.entries(properties)
    .map(([name, property]) => {
      const notes: string[] = [];
      if (typeof property['description'] === 'string') notes.push(escapeHtml(property['description']));
      if (property['default'] !== undefined) notes.push(`default ${code(JSON.stringify(property['default']))}`);
      if (!required.has(name)) notes.unshift('optional');
      const inner = inlineObject(property);
      const below = inner === null || depth >= DEPTH_MAX ? '' : rows(inner, depth + 1);
      const pad = depth === 0 ? '' : `<span class="pad" style="width:${depth * 1.2}rem"></span>`;
      const type = inner !== null && property['properties'] !== undefined ? 'object' : typeText(property);
      return `<tr><td>${pad}${code(name)}</td><td>${type}</td><td>${notes.join('; ')}</td></tr>${below}`;
    })
    .join('');
}

function fieldTable(schema: Schema): string {
  const options = schema['oneOf'] ?? schema['anyOf'];
  if (schema['properties'] === undefined && Array.isArray(options)) {
    return options.map((option, index) => `<p>Form ${index + 1}:</p>${fieldTable(option as Schema)}`).join('');
  }
  const body = rows(schema);
  return body === ''
    ? ''
    : `<table><thead><tr><th>Field</th><th>Type</th><th></th></tr></thead><tbody>${body}</tbody></table>`;
}

function access(operation: Operation): string {
  const value = operation['x-berth-access'];
  if (value === 'public') return 'anybody';
  if (value === 'self') return 'any signed-in person';
  return `${code(value)} (<a href="/docs/reference/permissions">who has it</a>)`;
}

function example(method: string, path: string, operation: Operation): string {
  const lines = [`curl --cacert ca.crt -H "Authorization: Bearer $BERTH_TOKEN"`];
  if (method !== 'GET') lines.push(`-X ${method}`);
  if (operation.requestBody !== undefined) lines.push(`-H 'Content-Type: application/json' -d @body.json`);
  lines.push(`"$BERTH_URL${path}"`);
  return `<pre><code>${escapeHtml(lines.join(' \\\n  '))}</code></pre>`;
}

/** Returns trusted HTML and its headings. */
export function renderApi(document: OpenApi): { body: string; headings: Heading[] } {
  const headings: Heading[] = [];
  const parts: string[] = [
    '<h1>API</h1>',
    document.info.description
      .split('\n')
      .map((line) => `<p>${escapeHtml(line).replace(/`([^`]+)`/g, '<code>$1</code>')}</p>`)
      .join(''),
    `<p>Version ${escapeHtml(document.info.version)}. The machine-readable form is <a href="/docs/openapi.json">openapi.json</a> (OpenAPI 3.1).</p>`,
  ];
  const schemaOf = (schema: Schema): Schema => {
    const name = refName(schema);
    return name === null ? schema : (document.components.schemas[name] ?? {});
  };
  const shownInline = new Set<string>();
  for (const tag of document.tags) {
    const tagId = `tag-${tag.name}`;
    headings.push({ level: 2, id: tagId, text: tag.name });
    parts.push(`<h2 id="${tagId}">${escapeHtml(tag.name)}</h2><p>${escapeHtml(tag.description)}</p>`);
    for (const [path, methods] of Object.entries(document.paths)) {
      for (const [lower, operation] of Object.entries(methods)) {
        if (operation.tags[0] !== tag.name) continue;
        const method = lower.toUpperCase();
        headings.push({ level: 3, id: operation.operationId, text: operation.operationId });
        const body: string[] = [`<p>${escapeHtml(operation.summary)}.</p>`];
        if (operation.description !== undefined) body.push(`<p>${escapeHtml(operation.description)}</p>`);
        body.push(`<p>Needs: ${access(operation)}. Rate class: ${code(operation['x-berth-rate-class'])}.</p>`);
        const parameters = operation.parameters ?? [];
        if (parameters.length > 0) {
          const lines = parameters.map((item) => {
            const notes = [item.required ? '' : 'optional', escapeHtml(item.description ?? '')];
            if (item.schema['default'] !== undefined)
              notes.push(`default ${code(JSON.stringify(item.schema['default']))}`);
            return `<tr><td>${code(item.name)}</td><td>${item.in}</td><td>${typeText(item.schema)}</td><td>${notes.filter((note) => note !== '').join('; ')}</td></tr>`;
          });
          body.push(
            `<table><thead><tr><th>Parameter</th><th>In</th><th>Type</th><th></th></tr></thead><tbody>${lines.join('')}</tbody></table>`,
          );
        }
        const request = operation.requestBody?.content['application/json']?.schema;
        if (request !== undefined) {
          const name = refName(request);
          if (name !== null) shownInline.add(name);
          body.push(
            `<h4>Body${operation.requestBody?.required === true ? '' : ' (optional)'}</h4>${fieldTable(schemaOf(request))}`,
          );
        }
        const answers = Object.entries(operation.responses).map(([status, response]) => {
          const shared =
            response.$ref === undefined
              ? undefined
              : document.components.responses[response.$ref.split('/').at(-1) ?? ''];
          const schema = Object.values(response.content ?? {})[0]?.schema;
          const text = escapeHtml(shared?.description ?? response.description ?? '').replace(
            /`([^`]+)`/g,
            '<code>$1</code>',
          );
          return `<tr><td>${code(status)}</td><td>${schema === undefined ? '' : typeText(schema)}</td><td>${text}</td></tr>`;
        });
        body.push(`<h4>Answers</h4><table><tbody>${answers.join('')}</tbody></table>`);
        body.push(example(method, path, operation));
        parts.push(
          `<details class="operation" id="${operation.operationId}"><summary><span class="method ${lower}">${method}</span> ${code(path)} <span class="summary">${escapeHtml(operation.summary)}</span></summary>${body.join('')}</details>`,
        );
      }
    }
  }
  headings.push({ level: 2, id: 'shapes', text: 'Shapes' });
  parts.push('<h2 id="shapes">Shapes</h2>');
  for (const [name, schema] of Object.entries(document.components.schemas)) {
    if (shownInline.has(name)) continue;
    parts.push(`<h3 id="schema-${name}">${name}</h3>${fieldTable(schema)}`);
  }
  return { body: parts.join('\n'), headings: headings.filter((heading) => heading.level === 2) };
}
