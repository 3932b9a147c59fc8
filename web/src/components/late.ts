import { defineAsyncComponent, type Component } from 'vue'
import { patiently } from '@/composables/parts'
import { loadPageWords } from '@/i18n'

/**
 * What the first page can do without until somebody opens, chooses or is asked for something. All
 * of it is fetched once the page has nothing better to do.
 */
export const loadDeadlineWarning = () => import('@/components/DeadlineWarning.vue')
export const loadNoticeDetail = () => import('@/components/NoticeDetail.vue')
export const loadSelectionBar = () => import('@/components/SelectionBar.vue')
export const loadOtherWays = () => import('@/components/OtherWays.vue')

const TRY_AGAIN_MS = 5_000

/** A component that is fetched when it is needed, until it comes; the reader is told once where it does not. */
export function late<T extends Component>(load: () => Promise<{ default: T }>): T {
  return defineAsyncComponent({
    loader: patiently(load, 0),
    // Vue would keep the failure for as long as the page lives.
    onError: (_error, retry) => setTimeout(retry, TRY_AGAIN_MS),
  }) as T
}

/** The same of a dialog whose words come with those of the pages. */
export const lateDialog = <T extends Component>(load: () => Promise<{ default: T }>): T =>
  late(async () => (await Promise.all([load(), loadPageWords()]))[0])
