import { fileURLToPath, URL } from 'node:url'
import tailwindcss from '@tailwindcss/vite'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vitest/config'
import { lateVueUse } from './late-copy'
import { compiledMessages } from './messages'

// Where `npm run dev` finds a running server; the built page is served by it.
const server = process.env.BELFRY_URL ?? 'http://127.0.0.1:8080'

const folder = (path: string) => fileURLToPath(new URL(path, import.meta.url))

export default defineConfig(({ command }) => ({
  plugins: [vue(), tailwindcss(), compiledMessages(), lateVueUse()],
  resolve: {
    alias: [
      { find: /^@client$/, replacement: folder('./client/index.ts') },
      { find: '@client', replacement: folder('./client') },
      { find: '@', replacement: folder('./src') },
    ],
  },
  define: {
    __VUE_OPTIONS_API__: false,
    __VUE_PROD_DEVTOOLS__: false,
    __VUE_I18N_LEGACY_API__: false,
    __VUE_I18N_FULL_INSTALL__: false,
    __INTLIFY_PROD_DEVTOOLS__: false,
    // What the build has compiled need not be compiled by the reader's browser; in development it is.
    __INTLIFY_DROP_MESSAGE_COMPILER__: command === 'build',
  },
  build: {
    target: ['chrome126', 'firefox126', 'safari18'],
    // The page is served under a policy that forbids inline code, data: too.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // Three in a hundred smaller than what Vite's own makes of it.
    minify: 'terser',
    terserOptions: { module: true, compress: { passes: 3 } },
    rolldownOptions: {
      output: {
        // Of each part the first page has the name, and of no name the hash can be compressed.
        chunkFileNames: 'assets/[name]-[hash:7].js',
        assetFileNames: 'assets/[name]-[hash:7][extname]',
        codeSplitting: {
          // What the first page needs comes as two files, which compress better than many: what
          // others made, which a browser keeps from one version to the next, and the rest.
          groups: [
            { name: 'frame', tags: ['$initial'], test: /node_modules\/(@?vue|pinia|@intlify)/ },
            { name: 'app', tags: ['$initial'] },
            // Small parts that a message is shown with: each file of its own costs the first page its name.
            { name: 'shown', test: /arrow-left|external-link|safeLink|focusRow/ },
          ],
        },
      },
    },
  },
  server: { proxy: { '/api': server, '/sse': server } },
  test: {
    environment: 'happy-dom',
    include: ['client/**/*.test.ts', 'src/**/*.test.ts'],
    // A window for each file takes three quarters of the time. Files share one, and whatever a module keeps: what a test leaves
    // behind another one finds, in any order.
    isolate: false,
    restoreMocks: true,
    unstubGlobals: true,
  },
}))
