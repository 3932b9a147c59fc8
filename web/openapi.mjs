// Looks after openapi.json, which a test of the server keeps true: `check` lints it and fails where client/schema.ts is
// not what it makes; `write` makes that file.
import { readFile, writeFile } from 'node:fs/promises'
import { createConfig, formatProblems, getTotals, lintFromString } from '@redocly/openapi-core'
import openapiTS, { astToString } from 'openapi-typescript'
import { format, resolveConfig } from 'prettier'

const SOURCE = 'openapi.json'
const TYPES = 'client/schema.ts'
const HEAD = '// Made from openapi.json by `make api`; do not edit.\n\n'

const text = await readFile(SOURCE, 'utf8')

/** The types of what is sent and received; who sends what is known to the client library itself. */
async function types() {
  const ast = await openapiTS({ ...JSON.parse(text), paths: {} }, { defaultNonNullable: false })
  const options = await resolveConfig(TYPES)
  return format(HEAD + astToString(ast), { ...options, parser: 'typescript' })
}

async function lint() {
  const config = await createConfig({
    extends: ['recommended-strict'],
    rules: {
      // Servers of other installations have other names; a path is right everywhere.
      'no-server-example.com': 'off',
      'operation-description': 'error',
      'tag-description': 'error',
      'no-invalid-media-type-examples': 'error',
      'no-invalid-schema-examples': 'error',
      'no-http-verbs-in-paths': 'off',
      'paths-kebab-case': 'error',
      'path-params-defined': 'error',
    },
  })
  const problems = await lintFromString({ source: text, absoluteRef: SOURCE, config })
  if (problems.length) {
    formatProblems(problems, { totals: getTotals(problems), format: 'stylish' })
    process.exitCode = 1
  }
}

if (process.argv[2] === 'write') {
  await writeFile(TYPES, await types())
} else {
  await lint()
  const stored = await readFile(TYPES, 'utf8').catch(() => '')
  if (stored !== (await types())) {
    console.error(`${TYPES} is not what ${SOURCE} makes: make api`)
    process.exitCode = 1
  }
}
