/** A parsed stream position, `EPOCH-OFFSET`. */
interface Position {
  epoch: string
  offset: bigint
}

function parse(id: string): Position | null {
  const match = /^([0-9a-z]+)-(0|[1-9][0-9]*)$/.exec(id)
  // Offsets outgrow what a double holds exactly.
  return match?.[1] && match[2] ? { epoch: match[1], offset: BigInt(match[2]) } : null
}

/**
 * Whether `id` lies at or before `mark`: then a reader who stands at `mark` has
 * it already. Ids of different epochs have no order, so the answer is false.
 */
export function atOrBefore(id: string, mark: string | null): boolean {
  const a = parse(id)
  const b = mark === null ? null : parse(mark)
  return a !== null && b !== null && a.epoch === b.epoch && a.offset <= b.offset
}
