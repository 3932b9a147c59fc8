import type { Component } from 'vue'
import { createRouter, createWebHistory } from 'vue-router'
import { loadNoticeDetail } from '@/components/late'
import { loadPageWords } from '@/i18n'
import InboxView from '@/views/InboxView.vue'
import { useSession } from '@/stores/session'

declare module 'vue-router' {
  interface RouteMeta {
    /** The message key of the page's title. */
    title: string
    admin?: boolean
    /** Which entry of the rail it belongs to, where that is not its own. */
    rail?: string
    /** Stands by itself, whoever is signed in; left only by loading another page. */
    alone?: boolean
  }
}

/** A page that is fetched when somebody goes there, and its words with it. */
const page = (load: () => Promise<{ default: Component }>) => async () => {
  const [{ default: view }] = await Promise.all([load(), loadPageWords()])
  return view
}

export const router = createRouter({
  history: createWebHistory(),
  routes: [
    { path: '/', redirect: { name: 'inbox' } },
    {
      path: '/inbox/:id(\\d+)?',
      name: 'inbox',
      component: InboxView,
      meta: { title: 'nav.inbox' },
    },
    {
      path: '/tasks/:id(\\d+)?',
      name: 'tasks',
      component: page(() => import('@/views/TasksView.vue')),
      meta: { title: 'nav.tasks' },
    },
    {
      path: '/compose',
      name: 'compose',
      component: page(() => import('@/views/ComposeView.vue')),
      meta: { title: 'nav.compose' },
    },
    {
      path: '/sent',
      name: 'sent',
      component: page(() => import('@/views/SentView.vue')),
      meta: { title: 'nav.sent', rail: 'compose' },
    },
    {
      path: '/devices',
      name: 'devices',
      component: page(() => import('@/views/DevicesView.vue')),
      meta: { title: 'nav.devices' },
    },
    {
      path: '/settings',
      name: 'settings',
      component: page(() => import('@/views/SettingsView.vue')),
      meta: { title: 'nav.settings' },
    },
    {
      path: '/admin/:section(overview|streams|sessions|users|groups|keys|webhooks|audit)?',
      name: 'admin',
      component: page(() => import('@/views/AdminView.vue')),
      meta: { title: 'nav.admin', admin: true, rail: 'admin' },
    },
    {
      path: '/reset',
      name: 'reset',
      component: page(() => import('@/views/ResetView.vue')),
      meta: { title: 'nav.reset', alone: true },
    },
    {
      path: '/signed-in',
      name: 'signed-in',
      component: page(() => import('@/views/SignedInView.vue')),
      meta: { title: 'nav.signedIn', alone: true },
    },
    {
      path: '/docs',
      name: 'docs',
      component: page(() => import('@/views/ApiView.vue')),
      meta: { title: 'nav.apiDocs', alone: true },
    },
    {
      path: '/:path(.*)*',
      name: 'not-found',
      component: page(() => import('@/views/NotFoundView.vue')),
      meta: { title: 'nav.notFound' },
    },
  ],
})

// Fetched before anything changes: whoever opens a message sees the list until then, or goes on doing so.
router.beforeResolve(async (to, from) => {
  if (to.name !== 'inbox' || !to.params.id) return true
  const first = from.matched.length === 0
  return loadNoticeDetail().then(
    () => true,
    () => (first ? { name: 'inbox' } : false),
  )
})

// The server refuses others anyway; this only spares them a page of refusals.
router.beforeEach((to) => {
  const role = useSession().owner?.role
  if (to.meta.admin && role && role !== 'admin') return { name: 'inbox' }
  return true
})
