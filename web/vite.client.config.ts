import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath, URL } from 'node:url'
import ts from 'typescript'
import { defineConfig, type Plugin, type UserConfig } from 'vite'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** What the elements need: popovers, light-dark(), URL.parse. */
const target = ['chrome126', 'firefox126', 'safari18']

/** Writes the types of what is exported, and the licence beside them. */
function declarations(entries: string[], outDir: string): Plugin {
  const write = (path: string, text: string) => {
    mkdirSync(dirname(path), { recursive: true })
    // Node's resolution wants a file's whole name; the sources, which are bundled, leave its end out.
    writeFileSync(path, text.replace(/(from |import\()(['"])(\.[^'"]+)\2/g, '$1$2$3.js$2'))
  }
  return {
    name: 'declarations',
    closeBundle() {
      const { config } = ts.readConfigFile(here('tsconfig.client.json'), ts.sys.readFile)
      const { options } = ts.parseJsonConfigFileContent(config, ts.sys, here('.'))
      delete options.tsBuildInfoFile
      const program = ts.createProgram(entries, {
        ...options,
        ...{ composite: false, noEmit: false, declaration: true, emitDeclarationOnly: true },
        ...{ rootDir: here('client'), outDir: `${outDir}/types` },
      })
      const { diagnostics } = program.emit(undefined, write)
      const found = [...ts.getPreEmitDiagnostics(program), ...diagnostics]
      if (found.length > 0) this.error(ts.formatDiagnostics(found, ts.createCompilerHost(options)))
      copyFileSync(here('../LICENSE'), `${outDir}/LICENSE`)
    },
  }
}

/** The package: modules for a bundler, or for a browser as they are. */
const library = (): UserConfig => {
  const outDir = here('client/dist')
  const typed = {
    index: here('client/index.ts'),
    tasks: here('client/tasks.ts'),
    admin: here('client/admin.ts'),
    passkey: here('client/passkey.ts'),
    elements: here('client/elements/index.ts'),
  }
  const entry = { ...typed, worker: here('client/worker.ts') }
  return {
    plugins: [declarations(Object.values(typed), outDir)],
    build: {
      outDir,
      emptyOutDir: true,
      sourcemap: true,
      modulePreload: false,
      // Not Vite's library mode: that leaves the white space of modules in, a fifth of their size.
      rolldownOptions: {
        input: entry,
        preserveEntrySignatures: 'strict',
        output: {
          entryFileNames: '[name].js',
          chunkFileNames: '[name].js',
          // One piece packs better than three, and what both entries have is there once.
          codeSplitting: {
            groups: [
              {
                name: 'client',
                test: /eventsource-parser|client\/(?!index|worker|admin|passkey|task)[^/]+\.ts$/,
              },
            ],
          },
        },
      },
    },
  }
}

/** All of it in one file under a name that stays, which every server serves. */
const script = (): UserConfig => ({
  build: {
    outDir: here('dist'),
    emptyOutDir: false,
    rolldownOptions: {
      input: here('client/script.ts'),
      preserveEntrySignatures: 'strict',
      output: { entryFileNames: 'belfry.js', codeSplitting: false },
    },
    modulePreload: false,
  },
})

export default defineConfig(({ mode }) => {
  const { build, ...rest } = mode === 'script' ? script() : library()
  // In one piece: a page that has this package fetches nothing of it later.
  const resolve = { alias: { './parts': here('client/whole.ts') } }
  return { ...rest, resolve, publicDir: false, build: { ...build, target, minify: true } }
})
