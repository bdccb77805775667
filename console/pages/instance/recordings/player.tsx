import '@xterm/xterm/css/xterm.css';
import { useQuery } from '@tanstack/react-query';
import { Terminal } from '@xterm/xterm';
import { Pause, Play, X } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import { type Cast, readCast } from '#domain/ssh-recordings.ts';
import { readBytes } from '../../../api/client.ts';
import { QueryView } from '../../../components/query-view.tsx';
import { resolvedTheme } from '../../../lib/theme.ts';
import { IconButton } from '../../../ui/button.tsx';
import { Notice } from '../../../ui/notice.tsx';
import { Segmented } from '../../../ui/segmented.tsx';
import { colours } from '../terminal/colours.ts';
import { Playback } from './playback.ts';

const SPEEDS = ['1', '2', '4', '8'] as const;

function clock(seconds: number): string {
  const whole = Math.floor(seconds);
  const parts = [Math.floor(whole / 60) % 60, whole % 60].map((part) => String(part).padStart(2, '0'));
  return whole >= 3600 ? `${Math.floor(whole / 3600)}:${parts.join(':')}` : parts.join(':');
}

/** Replays one recording. Fetched once: every reading stands in the audit log. */
export function Player({ instance, recording, onClose }: { instance: string; recording: string; onClose: () => void }) {
  const query = useQuery({
    queryKey: ['sshRecording', instance, recording],
    gcTime: 0,
    staleTime: Number.POSITIVE_INFINITY,
    refetchOnWindowFocus: false,
    queryFn: async () => {
      const { bytes } = await readBytes('sshRecordingsRead', { params: { instance, recording } });
      return { cast: readCast(new TextDecoder().decode(bytes)) };
    },
  });
  return (
    <QueryView query={query} rows={8}>
      {({ cast }) =>
        cast === null ? (
          <Notice tone="bad" title="This is no recording">
            Its file cannot be read.
          </Notice>
        ) : (
          <Screen cast={cast} onClose={onClose} />
        )
      }
    </QueryView>
  );
}

function Screen({ cast, onClose }: { cast: Cast; onClose: () => void }) {
  const holder = useRef<HTMLDivElement>(null);
  const playback = useRef<Playback | null>(null);
  const [position, setPosition] = useState(0);
  const [playing, setPlaying] = useState(false);
  const [length, setLength] = useState(0);
  const [speed, setSpeed] = useState<(typeof SPEEDS)[number]>('1');
  const theme = resolvedTheme.use();
  const terminal = useRef<Terminal | null>(null);

  useEffect(() => {
    const element = holder.current;
    if (element === null) return;
    const term = new Terminal({
      cols: cast.width,
      rows: cast.height,
      fontFamily: '"JetBrains Mono Variable", monospace',
      fontSize: 13,
      lineHeight: 1.25,
      disableStdin: true,
      cursorInactiveStyle: 'outline',
      scrollback: 1_000,
      theme: colours(),
      minimumContrastRatio: 4.5,
      // What was recorded came from a server: its links lead nowhere.
      linkHandler: { activate: () => undefined },
    });
    term.open(element);
    terminal.current = term;
    const made = new Playback(cast, {
      reset: (columns, rows) => {
        term.reset();
        term.resize(columns, rows);
      },
      resize: (columns, rows) => term.resize(columns, rows),
      write: (text) => term.write(text),
    });
    playback.current = made;
    setLength(made.length);
    made.play(performance.now());
    setPlaying(true);
    let frame = requestAnimationFrame(function step(now) {
      made.advance(now);
      setPosition(made.position);
      setPlaying(made.playing);
      frame = requestAnimationFrame(step);
    });
    return () => {
      cancelAnimationFrame(frame);
      term.dispose();
      terminal.current = null;
    };
  }, [cast]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: the theme's tokens are read anew when it changes
  useEffect(() => {
    if (terminal.current !== null) terminal.current.options.theme = colours();
  }, [theme]);

  return (
    <div className="card flex flex-col overflow-hidden" data-testid="player">
      <div ref={holder} className="max-h-120 overflow-auto p-2" role="img" aria-label={`Recording: ${cast.title}`} />
      <div className="flex flex-wrap items-center gap-3 border-line border-t px-3 py-2">
        <IconButton
          label={playing ? 'Pause' : 'Play'}
          size="sm"
          onClick={() => {
            const now = performance.now();
            if (playing) playback.current?.pause(now);
            else playback.current?.play(now);
          }}
        >
          {playing ? <Pause /> : <Play />}
        </IconButton>
        <input
          type="range"
          aria-label="Position"
          aria-valuetext={`${clock(position)} of ${clock(length)}`}
          className="h-1.5 min-w-32 flex-1 cursor-pointer accent-accent"
          min={0}
          max={Math.max(length, 0.001)}
          step={0.1}
          value={position}
          onChange={(event) => playback.current?.seek(Number(event.target.value), performance.now())}
        />
        <span className="mono whitespace-nowrap text-soft text-xs">
          {clock(position)} / {clock(length)}
        </span>
        <Segmented
          label="Speed"
          value={speed}
          onChange={(next) => {
            setSpeed(next);
            playback.current?.setSpeed(Number(next), performance.now());
          }}
          options={SPEEDS.map((value) => ({ value, label: `${value}×` }))}
        />
        <IconButton label="Close the recording" size="sm" quiet onClick={onClose}>
          <X />
        </IconButton>
      </div>
    </div>
  );
}
