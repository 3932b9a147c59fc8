import { browserLocks, plainEnvironment } from './environment'
import { workerHub } from './worker-hub'

/** What a shared worker's global scope has and a page's has not. */
interface SharedWorkerScope {
  onconnect: ((event: MessageEvent) => void) | null
}

const receive = workerHub(plainEnvironment(), browserLocks())

;(globalThis as unknown as SharedWorkerScope).onconnect = ({ ports: [port] }) => {
  if (!port) return
  const back = { post: (message: unknown) => port.postMessage(message) }
  port.onmessage = ({ data }) => void receive(back, data)
}
