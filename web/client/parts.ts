import type * as Tabs from './tabs'

/**
 * What most pages do without, for those that need it: fetched only then, where a page is built of
 * this. The package and the script are in one piece, and have `whole.ts` in its place.
 */
export const loadTabs = (): Promise<typeof Tabs> => import('./tabs')
