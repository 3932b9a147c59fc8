import type { Moment, NodeSample } from '@client'

/** What one line of a chart shows: of which node, and what of it. */
export interface Line {
  node: string
  /** What sets it apart from another line of the same node. */
  kind: string
  values: (number | null)[]
}

export interface ChartData {
  /** Seconds since 1970. */
  times: number[]
  lines: Line[]
}

/** What a chart shows of a node's second. Null leaves a gap: nothing happened that could be measured. */
export type Measure = { kind: string; of: (sample: NodeSample) => number | null }

/** The nodes that any of the moments tells of, by id, in one order. */
function nodesOf(moments: readonly Moment[]): Map<string, string> {
  const names = new Map<string, string>()
  for (const { nodes } of moments) for (const { id, name } of nodes) names.set(id, name)
  return new Map([...names].sort(([a, x], [b, y]) => (x + a < y + b ? -1 : 1)))
}

/** Lays moments out as lines, one for each node and measure. A node that was not there then leaves a gap. */
export function chartData(moments: readonly Moment[], measures: readonly Measure[]): ChartData {
  const lines: (Line & { id: string; of: Measure['of'] })[] = [...nodesOf(moments)].flatMap(
    ([id, node]) => measures.map(({ kind, of }) => ({ id, node, kind, of, values: [] })),
  )
  for (const { nodes } of moments) {
    const samples = new Map(nodes.map((sample) => [sample.id, sample]))
    for (const { id, of, values } of lines) {
      const sample = samples.get(id)
      values.push(sample ? of(sample) : null)
    }
  }
  return {
    times: moments.map(({ at }) => Date.parse(at) / 1000),
    lines: lines.map(({ node, kind, values }) => ({ node, kind, values })),
  }
}
