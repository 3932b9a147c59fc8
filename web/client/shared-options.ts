import type { TabEnvironment } from './environment'
import type { StreamCredential } from './event-stream'
import type { Positioned, StreamEvents } from './stream'
import type { Notice } from './types'

export interface SharedEvents extends Omit<StreamEvents, 'ping'> {
  /**
   * A notice that has just come, told to one tab of the browser: where to pop it up or sound it.
   * It follows `notice`, which every tab gets.
   */
  announce: Positioned<Notice>
}

interface SharedPlace {
  /**
   * The server's origin, for a page that another origin serves.
   * @default '' the page's own
   */
  baseUrl?: string
  /** Where the worker's script lies, on the page's own origin. Without one a tab holds the stream. */
  worker?: string | URL
  /**
   * Tells apart what must not share a stream though its server is the same: whom tickets are
   * minted for, as the address that mints them.
   * @default ''
   */
  source?: string
  /** @default the page's */
  environment?: TabEnvironment
}

export type SharedStreamOptions = SharedPlace & StreamCredential
