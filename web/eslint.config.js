import { defineConfigWithVueTs, vueTsConfigs } from '@vue/eslint-config-typescript'
import pluginVue from 'eslint-plugin-vue'

export default defineConfigWithVueTs(
  {
    ignores: [
      'dist/**',
      'client/dist/**',
      'node_modules/**',
      'test-results/**',
      'playwright-report/**',
    ],
  },
  pluginVue.configs['flat/recommended'],
  vueTsConfigs.strict,
  {
    rules: {
      // Prettier lays out; the linter looks for mistakes.
      'vue/max-attributes-per-line': 'off',
      'vue/singleline-html-element-content-newline': 'off',
      'vue/multiline-html-element-content-newline': 'off',
      'vue/html-self-closing': 'off',
      'vue/html-indent': 'off',
      'vue/html-closing-bracket-newline': 'off',
      'vue/first-attribute-linebreak': 'off',
      'vue/component-api-style': ['error', ['script-setup']],
      'vue/no-v-html': 'error',
      'max-lines-per-function': ['error', { max: 60, skipComments: true, skipBlankLines: true }],
      'no-restricted-globals': [
        'error',
        { name: 'sessionStorage', message: 'Nothing of a session is kept in the browser.' },
      ],
    },
  },
  {
    files: ['src/**/*.vue'],
    rules: {
      'max-lines': ['error', 200],
      // One name is enough for a page that is a view.
      'vue/multi-word-component-names': ['error', { ignores: ['App'] }],
    },
  },
  {
    // A store is one function of many small ones, as a component's script is.
    files: ['src/stores/*.ts'],
    rules: {
      'max-lines': ['error', 250],
      'max-lines-per-function': ['error', { max: 200, skipComments: true, skipBlankLines: true }],
    },
  },
  {
    // A suite is one long function by nature.
    files: ['**/*.test.ts', 'e2e/**/*.ts'],
    rules: {
      'max-lines': 'off',
      'max-lines-per-function': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
  {
    // The client library is used by sites without Vue.
    files: ['client/**/*.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        { patterns: ['vue', 'vue-*', 'pinia', '@vueuse/*', '@/*', '../src/*'] },
      ],
    },
  },
)
