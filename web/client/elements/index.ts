import { BelfryBell } from './bell'
import { BelfryLock } from './lock'

// A page may load this twice, as a package and as a script: the first one stays. On a server that renders pages there is nothing
// to define them in.
const elements = globalThis.customElements
if (elements && !elements.get('belfry-bell')) elements.define('belfry-bell', BelfryBell)
if (elements && !elements.get('belfry-lock')) elements.define('belfry-lock', BelfryLock)

declare global {
  interface HTMLElementTagNameMap {
    'belfry-bell': BelfryBell
    'belfry-lock': BelfryLock
  }
}

export { BelfryBell, type BellEvents } from './bell'
export { BelfryLock, type LockEvents } from './lock'
export type { Phase } from './session'
