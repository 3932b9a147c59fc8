import { BelfryBell } from './bell'
import { BelfryLock } from './lock'

// A page may load this twice, as a package and as a script: the first one stays.
if (!customElements.get('belfry-bell')) customElements.define('belfry-bell', BelfryBell)
if (!customElements.get('belfry-lock')) customElements.define('belfry-lock', BelfryLock)

declare global {
  interface HTMLElementTagNameMap {
    'belfry-bell': BelfryBell
    'belfry-lock': BelfryLock
  }
}

export { BelfryBell, type BellEvents } from './bell'
export { BelfryLock, type LockEvents } from './lock'
export type { Phase } from './session'
