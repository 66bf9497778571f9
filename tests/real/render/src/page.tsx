// The page: `window.draw(job)` draws a board and tells what each target got.
import { createTheme, ThemeContext, type DataFrame } from '@grafana/data';
import { GlobalStyles, PanelChrome } from '@grafana/ui';
import { createRoot } from 'react-dom/client';
import { expand, timeRange, viewOf, type Job, type View } from './board';
import { configured, transformed } from './fields';
import { Panel } from './panels';
import { load } from './query';

const WIDTH = 1440;
const COLUMN = WIDTH / 24;
const ROW = 38; // 30 pixels and a gap of 8
const GAP = 8;

interface Loaded {
  panel: any;
  view: View;
  frames: DataFrame[];
  series: number[];
  error?: string;
}

async function loaded(panel: any, job: Job): Promise<Loaded> {
  const view = panel.timeFrom ? viewOf({ from: panel.timeFrom, to: 'now' }, job.now) : viewOf(job.board.time, job.now);
  const targets = panel.targets ?? [];
  const width = panel.maxDataPoints ?? panel.gridPos.w * COLUMN;
  try {
    const answers = await Promise.all(targets.map((target: any) => load(target, job, view, width, targets.length === 1)));
    const raw = answers.flatMap(([frames]) => frames);
    const frames = await transformed(raw, panel.transformations ?? []);
    return { panel, view, frames: configured(frames, panel.fieldConfig ?? { defaults: {}, overrides: [] }, theme(job)), series: answers.map(([, count]) => count) };
  } catch (error) {
    return { panel, view, frames: [], series: [], error: String(error) };
  }
}

const theme = (job: Job) => createTheme({ colors: { mode: job.theme } });

function Board({ job, panels }: { job: Job; panels: Loaded[] }) {
  const look = theme(job);
  const bottom = Math.max(...panels.map(({ panel: { gridPos } }) => gridPos.y + gridPos.h));
  return (
    <ThemeContext.Provider value={look}>
      <GlobalStyles />
      <div style={{ background: look.colors.background.canvas, padding: 20, width: WIDTH + 40, boxSizing: 'border-box' }}>
        <Head job={job} />
        <div style={{ position: 'relative', height: bottom * ROW }}>
          {panels.map((one) => (
            <Place key={one.panel.id} {...one} job={job} />
          ))}
        </div>
      </div>
    </ThemeContext.Provider>
  );
}

function Head({ job }: { job: Job }) {
  const look = theme(job);
  const box = { border: `1px solid ${look.colors.border.medium}`, borderRadius: 2, padding: '3px 8px', marginLeft: 4 };
  return (
    <div style={{ color: look.colors.text.primary, margin: '0 4px 12px', fontSize: 12 }}>
      <div style={{ fontSize: 18, marginBottom: 10 }}>{job.board.title}</div>
      {job.board.templating.list
        .filter((variable: any) => variable.type !== 'datasource')
        .map((variable: any) => (
          <span key={variable.name} style={{ marginRight: 14 }}>
            {variable.label}
            <span style={box}>{variable.includeAll ? 'All' : job.variables[variable.name] || '–'}</span>
          </span>
        ))}
    </div>
  );
}

function Place({ job, panel, view, frames, error }: Loaded & { job: Job }) {
  const look = theme(job);
  const { x, y, w, h } = panel.gridPos;
  const place = { position: 'absolute' as const, left: x * COLUMN + GAP / 2, top: y * ROW };
  const [width, height] = [w * COLUMN - GAP, h * ROW - GAP];
  const title = expand(panel.title, job, view, 60);
  if (panel.type === 'row') return <div style={{ ...place, fontSize: 15, color: look.colors.text.primary, lineHeight: `${height}px` }}>⌄ {title}</div>;
  return (
    <div style={{ ...place, width, height }}>
      <PanelChrome title={title} description={panel.description} width={width} height={height} statusMessage={error}>
        {(innerWidth, innerHeight) => (
          <Panel panel={panel} frames={frames} range={timeRange(view)} theme={look} width={innerWidth} height={innerHeight} />
        )}
      </PanelChrome>
    </div>
  );
}

async function draw(job: Job) {
  const panels = await Promise.all(job.board.panels.map((panel: any) => loaded(panel, job)));
  createRoot(document.getElementById('root')!).render(<Board job={job} panels={panels} />);
  await new Promise((resolve) => setTimeout(resolve, 1500)); // canvases are drawn some frames after React is done
  return panels.map(({ panel, series, error }) => ({ title: panel.title, type: panel.type, series, error }));
}

Object.assign(window, { draw });
