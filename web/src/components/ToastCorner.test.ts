import { createPinia, setActivePinia } from 'pinia'
import { expect, it } from 'vitest'
import { createMemoryHistory, createRouter } from 'vue-router'
import { mount } from '@vue/test-utils'
import ToastCorner from './ToastCorner.vue'
import { i18n } from '@/i18n'
import { useToasts } from '@/stores/toasts'
import { aNotice } from '@/testing'

it('shows the first line as a list does, without the marks of its markdown', () => {
  const pinia = createPinia()
  setActivePinia(pinia)
  const routes = [{ path: '/inbox/:id?', name: 'inbox', component: {} }]
  const router = createRouter({ history: createMemoryHistory(), routes })
  useToasts().push(aNotice(1, { format: 'markdown', body: '## **Down** at 14:02\n\nMore of it' }))
  const corner = mount(ToastCorner, { global: { plugins: [pinia, router, i18n] } })
  const toast = corner.get('[data-testid=toast]')
  expect(toast.text()).toContain('Down at 14:02')
  expect(toast.text()).not.toContain('**')
  expect(toast.text()).not.toContain('More of it')
})
