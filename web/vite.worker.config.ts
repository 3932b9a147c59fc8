import { fileURLToPath, URL } from 'node:url'
import { defineConfig } from 'vite'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** The service worker: one script of its own, for not every browser takes modules there. */
export default defineConfig({
  publicDir: false,
  build: {
    target: ['chrome126', 'firefox126', 'safari18'],
    outDir: here('dist'),
    emptyOutDir: false,
    modulePreload: false,
    rolldownOptions: {
      input: here('src/sw/worker.ts'),
      output: { format: 'iife', entryFileNames: 'sw.js' },
    },
  },
})
