import { CodeBlock } from '../../ui/code-block.tsx';
import { Notice } from '../../ui/notice.tsx';

export type Secret = { id: string; issuer: string; secret: string | null };

/** What an app has to be told. */
export function Credentials({ client }: { client: Secret }) {
  return (
    <div className="flex flex-col gap-4">
      {client.secret === null ? null : (
        <Notice tone="warn" title="Copy the secret now: it is shown this once">
          Berth keeps only a fingerprint of it.
        </Notice>
      )}
      <p className="text-sm text-soft">Issuer</p>
      <CodeBlock code={client.issuer} label="issuer" />
      <p className="text-sm text-soft">Client id</p>
      <CodeBlock code={client.id} label="client id" />
      {client.secret === null ? null : (
        <>
          <p className="text-sm text-soft">Client secret</p>
          <CodeBlock code={client.secret} label="client secret" />
        </>
      )}
    </div>
  );
}
