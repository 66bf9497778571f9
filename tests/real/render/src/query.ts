// Asks Prometheus and makes Grafana's data frames of the answers, as its Prometheus data source does.
import { FieldType, toDataFrame, type DataFrame } from '@grafana/data';
import { expand, stepOf, type Job, type View } from './board';

interface Series {
  metric: Record<string, string>;
  value?: [number, string];
  values?: Array<[number, string]>;
}

async function ask(base: string, path: string, parameters: Record<string, string>): Promise<Series[]> {
  const answer = await fetch(`${base}/api/v1/${path}?${new URLSearchParams(parameters)}`);
  const body = await answer.json();
  if (body.status !== 'success') throw new Error(body.error);
  return body.data.result;
}

/** Frames of a target, and how many series it got. */
export async function load(target: any, job: Job, view: View, width: number, isAlone: boolean): Promise<[DataFrame[], number]> {
  const step = stepOf(view, width, target.interval, job.scrapeSeconds);
  const query = expand(target.expr, job, view, step);
  const aligned = (at: number) => String(Math.floor(at / step) * step);
  const series = target.instant
    ? await ask(job.prometheus, 'query', { query, time: String(view.end) })
    : await ask(job.prometheus, 'query_range', { query, start: aligned(view.start), end: aligned(view.end), step: String(step) });
  const frames = target.format === 'table' ? tableFrame(target, series, isAlone) : series.map((one) => seriesFrame(target, one));
  return [frames, series.length];
}

function seriesFrame(target: any, series: Series): DataFrame {
  const points = series.values ?? [series.value!];
  const name = target.legendFormat.replace(/{{\s*(\w+)\s*}}/g, (_: string, label: string) => series.metric[label] ?? '');
  return toDataFrame({
    refId: target.refId,
    fields: [
      { name: 'Time', type: FieldType.time, config: {}, values: points.map(([at]) => at * 1000) },
      {
        name: 'Value',
        type: FieldType.number,
        labels: series.metric,
        config: target.legendFormat === '__auto' ? {} : { displayNameFromDS: name },
        values: points.map(([, value]) => Number(value)),
      },
    ],
  });
}

function tableFrame(target: any, series: Series[], isAlone: boolean): DataFrame[] {
  if (series.length === 0) return [];
  const labels = [...new Set(series.flatMap(({ metric }) => Object.keys(metric)))].sort();
  return [
    toDataFrame({
      refId: target.refId,
      fields: [
        { name: 'Time', type: FieldType.time, config: {}, values: series.map(({ value }) => value![0] * 1000) },
        ...labels.map((label) => ({
          name: label,
          type: FieldType.string,
          config: {},
          values: series.map(({ metric }) => metric[label] ?? ''),
        })),
        {
          name: isAlone ? 'Value' : `Value #${target.refId}`,
          type: FieldType.number,
          config: {},
          values: series.map(({ value }) => Number(value![1])),
        },
      ],
    }),
  ];
}
