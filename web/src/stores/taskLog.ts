import { Problem, type ConnectionStatus, type Task } from '@client'
import { TaskApi, TaskStream, type LogPiece } from '@client/tasks'
import { defineStore } from 'pinia'
import { computed, ref, shallowRef } from 'vue'
import { fitting, LogWindow, windowAt } from '@/log/window'
import { useSession } from './session'

/** What is read of a log to begin with, and more of it at a time. */
const FIRST = 512 << 10
const MORE = 256 << 10
/** What may wait for the next frame: a page that nobody sees has none. */
const MOST_WAITING = 1 << 20

/** Its stream does not say how often the server speaks; that of the page finds out first that nobody does. */
const HEARTBEAT_MS = 60_000

/** One task, with the part of its log that is in memory. */
export const useTaskLog = defineStore('taskLog', () => {
  const session = useSession()
  const api = new TaskApi(session.api)
  const task = shallowRef<Task | null>(null)
  const state = ref<'loading' | 'ready' | 'failed' | 'gone'>('loading')
  /** What is in memory; `version` counts what it becomes. */
  const log = shallowRef<LogWindow | null>(null)
  const version = ref(0)
  /** The place after the log's last byte, as far as it is known to go. */
  const end = ref(0)
  /** Whether the reader stays at the end. */
  const following = ref(true)
  /** Counts the times its reader was taken to a place: what was scrolled before is over then. */
  const moves = ref(0)
  const status = shallowRef<ConnectionStatus>({ state: 'idle' })
  const ended = computed(() => task.value !== null && task.value.state !== 'running')

  let id = 0
  let stream: TaskStream | null = null
  /** Counts the beginnings: what an earlier one asked for is dropped. */
  let turn = 0
  let reading = false
  /** The beginning that takes the reader to what is not in memory yet. */
  let going = 0
  let waiting: LogPiece[] = []
  let frame = 0
  /** Where the reader is: the byte that the row at the top begins with, and how much of it is out of sight. */
  let place = { at: 0, offset: 0 }

  function open(next: number): void {
    close()
    id = next
    following.value = true
    place = { at: 0, offset: 0 }
    void load()
  }

  function close(): void {
    putAway()
    id = 0
  }

  /** Leaves nothing of it in the page, which is being covered, but where its reader was. */
  function putAway(): void {
    rest()
    turn++
    waiting = []
    log.value = null
    task.value = null
    end.value = 0
    state.value = 'loading'
  }

  /** Ends the stream until `load`; what is on show stays. */
  function rest(): void {
    stream?.stop()
    stream = null
  }

  /** Loads the part that its reader looks at, and hears what comes after the end. */
  async function load(): Promise<void> {
    if (id === 0 || session.covered) return
    const mine = ++turn
    rest()
    reading = false
    if (state.value !== 'ready') state.value = 'loading'
    try {
      const found = await api.get(id)
      const from = following.value ? found.bytes - FIRST : place.at - MORE
      const { bytes, ...text } = await api.log(id, {
        from: Math.max(0, from),
        ...(!following.value && { limit: FIRST }),
      })
      const now = text.state === found.state ? found : await api.get(id)
      if (mine !== turn) return
      waiting = []
      task.value = now
      end.value = text.end
      log.value = following.value
        ? new LogWindow(bytes, text.offset)
        : windowAt(place.at, bytes, text.offset)
      state.value = 'ready'
      version.value++
      if (text.state === 'running') listen(text.end)
    } catch (error) {
      if (mine !== turn) return
      const gone = error instanceof Problem && error.status === 404
      state.value = gone ? 'gone' : 'failed'
    }
  }

  function listen(from: number): void {
    rest()
    const mine = new TaskStream(id, { session: session.present }, HEARTBEAT_MS)
    stream = mine
    mine.on('piece', take)
    mine.on('lock', session.onLock)
    mine.on('reset', () => void load())
    mine.on('done', () => void finish())
    mine.on('status', (next) => {
      status.value = next
      if (next.state === 'ended') session.end(next.reason)
    })
    mine.start(from)
  }

  async function finish(): Promise<void> {
    const mine = turn
    // How and when it ended is in one answer. Where that does not come, the next look brings it.
    const found = await api.get(id).catch(() => null)
    if (found && mine === turn) task.value = found
  }

  function take(piece: LogPiece): void {
    waiting.push(piece)
    const size = waiting.reduce((sum, { bytes }) => sum + bytes.length, 0)
    if (size > MOST_WAITING) flush()
    else frame ||= requestAnimationFrame(flush)
  }

  /** Shows what has come. Of a log that its reader stands still in no more than there is room for. */
  function flush(): void {
    cancelAnimationFrame(frame)
    frame = 0
    for (const { offset, bytes } of waiting.splice(0)) {
      end.value = Math.max(end.value, offset + bytes.length)
      const known = log.value ? log.value.to - offset : -1
      const room = following.value || !log.value?.isFull
      if (known < 0 || known >= bytes.length || !room) continue
      const added = bytes.subarray(known)
      log.value?.append(following.value ? added : added.subarray(...fitting(added, 0)))
    }
    version.value++
  }

  /** Reads a stretch, unless another is being read, and puts it into the log as it is then. */
  async function read(from: number, limit: number, put: (bytes: Uint8Array) => void) {
    if (reading || !log.value) return
    const mine = turn
    reading = true
    try {
      const text = await api.log(id, { from, limit })
      if (mine !== turn) return
      flush()
      end.value = Math.max(end.value, text.end)
      put(text.bytes)
      version.value++
    } catch {
      // What is there stays; the next scroll asks again.
    } finally {
      if (mine === turn) reading = false
    }
  }

  async function loadBefore(): Promise<void> {
    const upTo = log.value?.from ?? 0
    if (upTo === 0) return
    const from = Math.max(0, upTo - MORE)
    await read(from, upTo - from, (bytes) => {
      const [first] = fitting(bytes, bytes.length)
      if (log.value?.from === upTo) log.value.prepend(bytes.subarray(first), from + first)
    })
  }

  async function loadAfter(): Promise<void> {
    const from = log.value?.to ?? 0
    if (from >= end.value) return
    await read(from, MORE, (bytes) => {
      // The stream may have gone on from there meanwhile.
      const known = (log.value?.to ?? 0) - from
      const added = bytes.subarray(Math.max(0, known))
      if (known >= 0) log.value?.append(added.subarray(...fitting(added, 0)))
    })
  }

  /** Goes to the row that has a byte. */
  async function goTo(at: number): Promise<void> {
    moves.value++
    following.value = false
    place = { at, offset: 0 }
    if (log.value && at >= log.value.from && at < log.value.to) {
      version.value++
      return
    }
    const mine = (going = ++turn)
    reading = false
    const from = Math.max(0, at - MORE)
    await read(from, FIRST, (bytes) => {
      if (mine === turn) log.value = windowAt(at, bytes, from)
    })
    if (mine === going) going = 0
  }

  /** Notes where the reader has scrolled to, unless they are being taken elsewhere. */
  function note(at: number, offset: number): void {
    if (going !== turn) place = { at, offset }
  }

  /** Goes to the end, and stays there. */
  function follow(): void {
    moves.value++
    following.value = true
    if (log.value && log.value.to < end.value) void load()
    else version.value++
  }

  return {
    ...{ task, state, log, version, end, following, moves, status, ended },
    ...{ open, close, load, putAway, rest, loadBefore, loadAfter, goTo, follow, note },
    here: () => place,
    changed: () => version.value++,
    retry: () => stream?.retry(),
    logUrl: () => api.logUrl(id),
    read: (from: number, limit: number) => api.log(id, { from, limit }),
  }
})
