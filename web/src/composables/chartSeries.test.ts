import type { Moment, NodeSample } from '@client'
import { expect, it } from 'vitest'
import { chartData } from './chartSeries'

const sample = (id: string, streams: number, lag: number | null = null): NodeSample => ({
  id,
  name: `host-${id}`,
  streams,
  deliveries_per_s: 0,
  publishes_per_s: 0,
  locks_per_s: 0,
  evictions_per_s: 0,
  waiting: 0,
  lag_p50_ms: lag,
  lag_p99_ms: lag === null ? null : 2 * lag,
  publish_p99_ms: null,
})
const moment = (second: number, ...nodes: NodeSample[]): Moment => ({
  at: `2026-01-01T00:00:0${second}.000Z`,
  nodes,
})

const streams = [{ kind: '', of: (one: NodeSample) => one.streams }]

it('has a line for each node, with gaps where one was not there', () => {
  const moments = [
    moment(1, sample('a', 5)),
    moment(2, sample('b', 2), sample('a', 6)),
    moment(3, sample('b', 3)),
  ]
  expect(chartData(moments, streams)).toEqual({
    times: [1767225601, 1767225602, 1767225603],
    lines: [
      { node: 'host-a', kind: '', values: [5, 6, null] },
      { node: 'host-b', kind: '', values: [null, 2, 3] },
    ],
  })
})

it('has a line for each measure of a node, and says nothing where nothing was measured', () => {
  const measures = [
    { kind: 'p50', of: (one: NodeSample) => one.lag_p50_ms },
    { kind: 'p99', of: (one: NodeSample) => one.lag_p99_ms },
  ]
  const { lines } = chartData([moment(1, sample('a', 0)), moment(2, sample('a', 0, 4))], measures)
  expect(lines).toEqual([
    { node: 'host-a', kind: 'p50', values: [null, 4] },
    { node: 'host-a', kind: 'p99', values: [null, 8] },
  ])
})

it('is empty before the first moment', () => {
  expect(chartData([], streams)).toEqual({ times: [], lines: [] })
})
