import type { Mapping } from '@client'
import {
  findNodeAtLocation,
  getNodeValue,
  parseTree,
  type Node,
  type ParseError,
} from 'jsonc-parser'

/** What a mapping may have: the server's own members, of which all but one are texts. */
export const MEMBERS = [
  'items',
  'title',
  'body',
  'severity',
  'category',
  'url',
  'collapse_key',
  'idempotency_key',
] as const
const SEVERITY_MEMBERS = ['from', 'values', 'default'] as const

/** What is wrong in a text, and on which of its lines. */
export interface LineFault {
  /** Counted from 1. */
  line: number
  kind: 'syntax' | 'object' | 'text' | 'unknown' | 'twice' | 'refused'
  /** The member that it is about, or what the server said of it. */
  about: string
}

export interface MappingText {
  /** Null while anything is wrong. */
  mapping: Mapping | null
  faults: LineFault[]
}

const lineOf = (text: string, offset: number) => text.slice(0, offset).split('\n').length

/** Reads a mapping as JSON, and says line by line what the server would refuse for its form. */
export function readMapping(text: string): MappingText {
  const errors: ParseError[] = []
  const root = parseTree(text, errors, { disallowComments: true, allowEmptyContent: false })
  const [first] = errors
  // What follows the first fault is mostly its consequence.
  if (first) return refused({ line: lineOf(text, first.offset), kind: 'syntax', about: '' })
  if (root?.type !== 'object') return refused({ line: 1, kind: 'object', about: '' })
  const faults = [
    ...formFaults(text, root, MEMBERS, ['severity']),
    ...severityFaults(text, findNodeAtLocation(root, ['severity'])),
  ].sort((a, b) => a.line - b.line)
  return faults.length > 0
    ? { mapping: null, faults }
    : { mapping: getNodeValue(root) as Mapping, faults }
}

const refused = (fault: LineFault): MappingText => ({ mapping: null, faults: [fault] })

/** What is wrong with an object whose members are all texts, but for some that are looked at elsewhere. */
function formFaults(
  text: string,
  object: Node,
  known: readonly string[] | null,
  others: readonly string[] = [],
): LineFault[] {
  const seen = new Set<string>()
  return (object.children ?? []).flatMap((property): LineFault[] => {
    const [key, value] = property.children ?? []
    const about = String(key?.value)
    const fault = (kind: LineFault['kind']) => [
      { line: lineOf(text, property.offset), kind, about },
    ]
    if (known && !known.includes(about)) return fault('unknown')
    if (seen.has(about)) return fault('twice')
    seen.add(about)
    return others.includes(about) || value?.type === 'string' ? [] : fault('text')
  })
}

function severityFaults(text: string, severity: Node | undefined): LineFault[] {
  if (!severity) return []
  const line = lineOf(text, severity.offset)
  if (severity.type !== 'object') return [{ line, kind: 'object', about: 'severity' }]
  const missing = findNodeAtLocation(severity, ['from'])
    ? []
    : [{ line, kind: 'text' as const, about: 'from' }]
  const values = findNodeAtLocation(severity, ['values'])
  const table =
    values && values.type !== 'object'
      ? [{ line: lineOf(text, values.offset), kind: 'object' as const, about: 'values' }]
      : []
  return [
    ...missing,
    ...formFaults(text, severity, SEVERITY_MEMBERS, ['values']),
    ...table,
    ...(values ? formFaults(text, values, null) : []),
  ]
}

/** Finds the line of what the server refused, by the field that it named, as in `mapping.severity.from`. */
export function placeRefusal(text: string, field: string, about: string): LineFault {
  const path = field.split('.').slice(1)
  const root = parseTree(text)
  const node = root && findNodeAtLocation(root, path)
  return { line: lineOf(text, node?.offset ?? 0), kind: 'refused', about }
}
