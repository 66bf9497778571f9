// What the page is given, and how Grafana's macros and variables in it are read.
import { rangeUtil, dateTime, type TimeRange } from '@grafana/data';

export interface Job {
  board: any;
  prometheus: string;
  /** Seconds since 1970. */
  now: number;
  scrapeSeconds: number;
  variables: Record<string, string>;
  theme: 'dark' | 'light';
}

/** Seconds since 1970. */
export interface View {
  start: number;
  end: number;
}

const UNIT: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86400 };

function instant(text: string, now: number, roundUp: boolean): number {
  const [, count, unit, day] = /^now(?:-(\d+)([smhd]))?(\/d)?$/.exec(text) ?? [];
  const at = now - Number(count ?? 0) * UNIT[unit ?? 's'];
  if (!day) return at;
  const midnight = Math.floor(at / 86400) * 86400;
  return roundUp ? midnight + 86400 - 0.001 : midnight;
}

export function viewOf(time: { from: string; to: string }, now: number): View {
  return { start: instant(time.from, now, false), end: instant(time.to, now, true) };
}

export function timeRange(view: View): TimeRange {
  const from = dateTime(view.start * 1000);
  const to = dateTime(view.end * 1000);
  return { from, to, raw: { from, to } };
}

/** The step that Grafana would take for a panel so many pixels wide. */
export function stepOf(view: View, width: number, least: string | undefined, scrapeSeconds: number): number {
  const lowest = Math.max(least ? rangeUtil.intervalToSeconds(least) : 0, scrapeSeconds);
  return rangeUtil.calculateInterval(timeRange(view), width, `${lowest}s`).intervalMs / 1000;
}

export function expand(text: string, job: Job, view: View, step: number): string {
  const known: Record<string, string> = {
    ...job.variables,
    __range: `${Math.round(view.end - view.start)}s`,
    __interval: `${step}s`,
    __interval_ms: String(step * 1000),
    __rate_interval: `${Math.max(step + job.scrapeSeconds, 4 * job.scrapeSeconds)}s`,
    '__to:date:seconds': String(Math.floor(view.end)),
  };
  return text.replace(/\$\{([\w:]+)\}|\$(\w+)/g, (_, braced, plain) => known[braced ?? plain] ?? _);
}
