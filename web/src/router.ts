import { createRouter, createWebHistory } from 'vue-router'
import InboxView from '@/views/InboxView.vue'
import { useSession } from '@/stores/session'

declare module 'vue-router' {
  interface RouteMeta {
    /** The message key of the page's title. */
    title: string
    admin?: boolean
  }
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
      path: '/compose',
      name: 'compose',
      component: () => import('@/views/ComposeView.vue'),
      meta: { title: 'nav.compose' },
    },
    {
      path: '/devices',
      name: 'devices',
      component: () => import('@/views/DevicesView.vue'),
      meta: { title: 'nav.devices' },
    },
    {
      path: '/settings',
      name: 'settings',
      component: () => import('@/views/SettingsView.vue'),
      meta: { title: 'nav.settings' },
    },
    {
      path: '/users',
      name: 'users',
      component: () => import('@/views/UsersView.vue'),
      meta: { title: 'nav.users', admin: true },
    },
    {
      path: '/:path(.*)*',
      name: 'not-found',
      component: () => import('@/views/NotFoundView.vue'),
      meta: { title: 'notFound.title' },
    },
  ],
})

// The server refuses others anyway; this only spares them a page of refusals.
router.beforeEach((to) => {
  const role = useSession().owner?.role
  if (to.meta.admin && role && role !== 'admin') return { name: 'inbox' }
  return true
})
