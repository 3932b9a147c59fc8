import { createApp, ref } from 'vue'
import { EventStreamContentType, fetchEventSource } from '@microsoft/fetch-event-source'

const root = document.querySelector('#app')
const { belfry } = root.dataset

/** The session is over, and coming back is of no use. */
class Over extends Error {}

/** A tab that unlocks gets a new cookie, and until its answer is there this one asks with the dead one (401). */
async function unlocked(load) {
  for (const wait of [100, 300, 1000, 3000]) {
    try {
      return await load()
    } catch (error) {
      if (!(error instanceof Over)) throw error
      await new Promise((resolve) => setTimeout(resolve, wait))
    }
  }
  return load()
}

createApp({
  setup() {
    const notices = ref([])
    const state = ref('connecting')
    let loaded = false
    let turn = Promise.resolve()

    /** Loads the inbox. While the session is locked there is none (423). */
    async function load() {
      const answer = await fetch(`${belfry}/api/v1/notices`, { credentials: 'include' })
      if (answer.status === 401) throw new Over()
      loaded = answer.ok
      if (answer.status === 423) return null
      if (!answer.ok) throw new Error(`inbox: ${answer.status}`)
      const { items, cursor } = await answer.json()
      notices.value = items
      return cursor
    }

    async function lock({ state: now }) {
      if (now === 'ended') throw new Over()
      state.value = now === 'locked' ? 'locked' : 'live'
      if (now === 'active' && !loaded) await unlocked(load)
    }

    const came = {
      hello: () => (state.value = 'live'),
      lock,
      notice(notice) {
        // It may have come with the inbox as well.
        if (!notices.value.some(({ id }) => id === notice.id)) notices.value.unshift(notice)
      },
      notice_state: load,
      reset: load,
    }

    async function follow() {
      const cursor = await load()
      await fetchEventSource(`${belfry}/sse/stream`, {
        credentials: 'include',
        // In small letters: so the library finds it, and puts the latest place there when it comes back.
        headers: cursor ? { 'last-event-id': cursor } : {},
        // Or nothing comes while one looks at another tab, and each look at this one begins anew.
        openWhenHidden: true,
        async onopen(answer) {
          if (answer.status === 401 || answer.status === 204) throw new Over()
          const type = answer.headers.get('Content-Type') ?? ''
          if (!answer.ok || !type.startsWith(EventStreamContentType)) throw new Error('no stream')
        },
        onmessage({ event, data }) {
          // One after the other, so that an inbox on its way does not hide what came after it.
          turn = turn.then(() => came[event]?.(JSON.parse(data))).catch(end)
        },
        // The library takes the end of a stream for the end of all.
        onclose() {
          throw new Error('ended')
        },
        // What is thrown here ends it; else it comes back, after the time that `retry:` named.
        onerror(error) {
          if (error instanceof Over) throw error
          state.value = 'not live'
        },
      })
    }

    function end(error) {
      state.value = error instanceof Over ? 'signed out' : 'broken'
      if (error instanceof Over) notices.value = []
    }

    follow().catch(end)
    return { notices, state }
  },
  template: `
    <main>
      <h1>Notices</h1>
      <p role="status">Stream: {{ state }}</p>
      <ul v-if="state !== 'locked'"><li v-for="{ id, title } in notices" :key="id">{{ title }}</li></ul>
    </main>`,
}).mount(root)
