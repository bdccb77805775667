/** A text file of an instance, with the colours of its language; saved only when nobody else changed it meanwhile. */
import { HighlightStyle, LanguageDescription, syntaxHighlighting } from '@codemirror/language';
import { languages } from '@codemirror/language-data';
import { Compartment, EditorState } from '@codemirror/state';
import { EditorView, keymap } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { basicSetup } from 'codemirror';
import { useEffect, useRef } from 'react';

const look = EditorView.theme({
  '&': { height: '100%', backgroundColor: 'var(--canvas)', color: 'var(--text)', fontSize: '13px' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { fontFamily: 'var(--font-mono, monospace)', lineHeight: '1.55' },
  '.cm-gutters': { backgroundColor: 'var(--canvas)', color: 'var(--text-faint)', borderRight: '1px solid var(--line)' },
  '.cm-activeLine, .cm-activeLineGutter': { backgroundColor: 'var(--hover)' },
  '.cm-cursor': { borderLeftColor: 'var(--text)' },
  '&.cm-focused .cm-selectionBackground, .cm-selectionBackground': { backgroundColor: 'var(--accent-soft) !important' },
  '.cm-panels': { backgroundColor: 'var(--raised)', color: 'var(--text)' },
});

/** The console's own colours: readable in light and dark. */
const colours = HighlightStyle.define([
  { tag: [tags.comment, tags.meta], color: 'var(--text-faint)', fontStyle: 'italic' },
  { tag: [tags.keyword, tags.operatorKeyword, tags.modifier, tags.tagName], color: 'var(--busy)' },
  { tag: [tags.string, tags.special(tags.string), tags.regexp], color: 'var(--ok)' },
  { tag: [tags.number, tags.bool, tags.null, tags.atom], color: 'var(--warn)' },
  { tag: [tags.propertyName, tags.attributeName, tags.definition(tags.variableName)], color: 'var(--accent)' },
  { tag: [tags.typeName, tags.className, tags.function(tags.variableName)], color: 'var(--accent-strong)' },
  { tag: tags.heading, fontWeight: '600' },
  { tag: tags.link, textDecoration: 'underline' },
  { tag: tags.invalid, color: 'var(--bad)' },
]);

export function CodeEditor({
  name,
  text,
  readOnly,
  line = null,
  onChange,
  onSave,
}: {
  name: string;
  text: string;
  readOnly: boolean;
  /** A new value takes the cursor there. */
  line?: { number: number } | null;
  onChange: (text: string) => void;
  onSave: () => void;
}) {
  const frame = useRef<HTMLDivElement>(null);
  const editor = useRef<EditorView | null>(null);
  const callbacks = useRef({ onChange, onSave });
  callbacks.current = { onChange, onSave };

  useEffect(() => {
    if (frame.current === null) return;
    const language = new Compartment();
    const view = new EditorView({
      parent: frame.current,
      state: EditorState.create({
        doc: text,
        extensions: [
          keymap.of([
            {
              key: 'Mod-s',
              run: () => {
                callbacks.current.onSave();
                return true;
              },
            },
          ]),
          basicSetup,
          syntaxHighlighting(colours),
          look,
          language.of([]),
          EditorState.readOnly.of(readOnly),
          EditorView.contentAttributes.of({ 'aria-label': `Text of ${name}` }),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) callbacks.current.onChange(update.state.doc.toString());
          }),
        ],
      }),
    });
    editor.current = view;
    view.focus();
    const known = LanguageDescription.matchFilename(languages, name);
    known?.load().then(
      (support) => view.dispatch({ effects: language.reconfigure(support) }),
      // Without colours the text is still there.
      () => undefined,
    );
    return () => view.destroy();
  }, [name, text, readOnly]);

  useEffect(() => {
    const view = editor.current;
    if (view === null || line === null) return;
    const at = view.state.doc.line(Math.min(Math.max(1, line.number), view.state.doc.lines)).from;
    view.dispatch({ selection: { anchor: at }, effects: EditorView.scrollIntoView(at, { y: 'center' }) });
    view.focus();
  }, [line]);

  return <div ref={frame} className="h-full min-h-0 overflow-hidden" />;
}
