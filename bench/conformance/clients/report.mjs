// One line of JSON for each event, which the test reads.
export function report(id, type, data) {
  process.stdout.write(JSON.stringify({ id, type, data }) + '\n')
}

// The names that a stream of notices carries.
export const types = ['hello', 'lock', 'notice', 'notice_state', 'reset', 'pause', 'message']

// The test closes our standard input when it has seen enough.
export const [, , address, ticket] = process.argv
process.stdin.on('end', () => process.exit(0)).resume()
