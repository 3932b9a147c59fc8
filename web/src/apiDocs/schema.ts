/** As much of OpenAPI 3.1 as the server's description uses. */
export interface Schema {
  $ref?: string
  type?: string | string[]
  format?: string
  description?: string
  enum?: unknown[]
  items?: Schema
  oneOf?: Schema[]
  properties?: Record<string, Schema>
  required?: string[]
}

export interface Content {
  schema?: Schema
  examples?: Record<string, { summary?: string; value: unknown }>
}

export interface Operation {
  operationId: string
  summary?: string
  description?: string
  tags?: string[]
  parameters?: {
    name: string
    in: string
    required?: boolean
    description?: string
    schema: Schema
  }[]
  requestBody?: { content: Record<string, Content> }
  responses: Record<string, { description: string; content?: Record<string, Content> }>
}

export interface Description {
  info: { title: string; version: string; description?: string }
  tags: { name: string; description?: string }[]
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, Schema> }
}

/** A member of something that is sent or received, as a line of a table. */
export interface Member {
  name: string
  type: string
  required: boolean
  text: string
}

const nameOf = (ref: string) => ref.slice(ref.lastIndexOf('/') + 1)

export function resolved(schema: Schema, all: Record<string, Schema>): Schema {
  return (schema.$ref && all[nameOf(schema.$ref)]) || schema
}

/** What a value may be, in a few signs: `string`, `"user" | "admin"`, `Action[] | null`. */
export function typeOf(schema: Schema): string {
  if (schema.$ref) return nameOf(schema.$ref)
  if (schema.oneOf) return schema.oneOf.map(typeOf).join(' | ')
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' | ')
  const types = [schema.type ?? 'any'].flat()
  return types
    .map((type) => (type === 'array' && schema.items ? listOf(schema.items) : type))
    .join(' | ')
}

function listOf(items: Schema): string {
  const type = typeOf(items)
  return type.includes(' ') ? `(${type})[]` : `${type}[]`
}

/** The members of an object, those of objects in it after it by their path. */
export function membersOf(
  schema: Schema,
  all: Record<string, Schema>,
  at = '',
  depth = 0,
): Member[] {
  const object = resolved(schema, all)
  return Object.entries(object.properties ?? {}).flatMap(([name, member]) => {
    const line = {
      name: at + name,
      type: typeOf(member),
      required: object.required?.includes(name) ?? false,
      text: member.description ?? '',
    }
    const within = member.items ?? member
    const path = `${at}${name}${member.items ? '[]' : ''}.`
    return depth > 2 ? [line] : [line, ...membersOf(within, all, path, depth + 1)]
  })
}
