/** "It may": everything, reading, or chosen actions; the same for tokens of people and of service accounts. */
import { useState } from 'react';
import { READ_SCOPE } from '#domain/scopes.ts';
import { Segmented } from '../../ui/segmented.tsx';
import { ScopePicker } from './scopes.tsx';

type May = 'all' | 'read' | 'chosen';

export type ScopeChoice = {
  may: May;
  chosen: readonly string[];
  missing: boolean;
  choose(next: { may?: May; chosen?: readonly string[] }): void;
  /** What the API takes (null is everything), or undefined after saying that nothing is chosen. */
  scopes(): string[] | null | undefined;
};

export function useScopeChoice(): ScopeChoice {
  const [state, setState] = useState<{ may: May; chosen: readonly string[] }>({ may: 'all', chosen: [] });
  const [missing, setMissing] = useState(false);
  return {
    ...state,
    missing,
    choose(next) {
      setState((before) => ({ ...before, ...next }));
      setMissing(false);
    },
    scopes() {
      if (state.may === 'all') return null;
      if (state.may === 'read') return [READ_SCOPE];
      if (state.chosen.length > 0) return [...state.chosen];
      setMissing(true);
      return undefined;
    },
  };
}

export function ScopeChooser({
  choice,
  all,
  hints,
  installation,
}: {
  choice: ScopeChoice;
  /** The label of the choice that leaves nothing out. */
  all: string;
  hints: Record<May, string>;
  /** Whether actions on the whole installation are offered. */
  installation: boolean;
}) {
  const { may, chosen, missing, choose } = choice;
  return (
    <div className="flex flex-col gap-2">
      <span className="font-medium text-sm">It may</span>
      <Segmented
        label="It may"
        value={may}
        onChange={(next) => choose({ may: next })}
        options={[
          { value: 'all', label: all },
          { value: 'read', label: 'Read' },
          { value: 'chosen', label: 'Chosen actions' },
        ]}
        className="w-fit"
      />
      <p className="text-faint text-xs">{hints[may]}</p>
      {may === 'chosen' ? (
        <ScopePicker value={chosen} onChange={(next) => choose({ chosen: next })} installation={installation} />
      ) : null}
      {missing ? (
        <p role="alert" className="text-bad text-xs">
          Choose at least one action.
        </p>
      ) : null}
    </div>
  );
}
