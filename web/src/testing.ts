import { mount } from '@vue/test-utils'
import { getActivePinia } from 'pinia'
import { vi } from 'vitest'
import type { Component } from 'vue'
import type { Notice, Session } from '@client'
import { i18n, loadPageWords } from '@/i18n'
import { enAdmin } from '@/i18n/en-admin'

// A component under test may be of any page.
await loadPageWords()
i18n.global.mergeLocaleMessage('en', enAdmin)

/** A session as the server would describe it, with a test's wishes on top. */
export function aSession(wishes: Partial<Session> = {}): Session {
  return {
    id: 's1',
    user: { username: 'ann', display_name: 'Ann Keller', role: 'user', locale: '' },
    state: 'active',
    reason: null,
    idle_remaining_ms: 900_000,
    max_remaining_ms: 43_200_000,
    warning_ms: 60_000,
    created_at: '2026-01-01T00:00:00.000Z',
    last_active_at: '2026-01-01T00:00:00.000Z',
    ip: '127.0.0.1',
    user_agent: '',
    current: true,
    ...wishes,
  }
}

/** A notice at offset `n` of epoch `e`. */
export function aNotice(n: number, wishes: Partial<Notice> = {}): Notice {
  return {
    id: n,
    cursor: `e-${n}`,
    title: `Notice ${n}`,
    body: '',
    format: 'text',
    url: null,
    actions: null,
    severity: 'info',
    category: null,
    sender: { type: 'user', name: 'bob' },
    data: null,
    collapse_key: null,
    created_at: '2026-01-01T00:00:00.000Z',
    expires_at: null,
    read_at: null,
    archived_at: null,
    snoozed_until: null,
    ...wishes,
  }
}

export interface Answer {
  status: number
  body: object
}

export const ok = (body: object): Answer => ({ status: 200, body })
export const refuse = (status: number, code: string, more: object = {}): Answer => ({
  status,
  body: { code, ...more },
})

type Route = (request: { path: string; body: unknown }) => Answer | Promise<Answer>

/**
 * Puts a server of routes (`'GET /session'`) in the place of the network.
 * @returns every request made, as `METHOD /path`
 */
export function serve(routes: Record<string, Route>): string[] {
  const made: string[] = []
  vi.stubGlobal('fetch', async (input: string, init?: RequestInit) => {
    const path = input.replace(/^\/api\/v1/, '')
    const name = `${init?.method ?? 'GET'} ${path.split('?')[0]}`
    made.push(`${init?.method ?? 'GET'} ${path}`)
    const route = routes[name]
    if (!route) throw new TypeError(`no route ${name}`)
    const body: unknown = init?.body ? JSON.parse(String(init.body)) : null
    const answer = await route({ path, body })
    const type = answer.status < 400 ? 'application/json' : 'application/problem+json'
    return new Response(answer.status === 204 ? null : JSON.stringify(answer.body), {
      status: answer.status,
      headers: { 'Content-Type': type },
    })
  })
  return made
}

/** A promise that a test settles when it likes. */
export function later<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined
  const promise = new Promise<T>((settle) => (resolve = settle))
  return { promise, resolve }
}

/**
 * Mounts a component into the document, where it can have the focus and open dialogs; in English.
 * @param before what else there is, and has the focus
 */
export function show(
  component: Component,
  props: Record<string, unknown> = {},
  before: () => void = () => undefined,
) {
  const pinia = getActivePinia()
  document.body.innerHTML = '<div id="overlays"></div>'
  before()
  return mount(component, {
    props,
    attachTo: document.body,
    global: { plugins: pinia ? [pinia, i18n] : [i18n] },
  })
}

/**
 * Gives the browser an authenticator.
 * @param answer what becomes of each ceremony: a credential's JSON, or an error to be thrown
 */
export function withAuthenticator(answer: () => object): void {
  class FakeCredential {
    static parseCreationOptionsFromJSON = (options: object) => options
    static parseRequestOptionsFromJSON = (options: object) => options
    private readonly json = answer()
    toJSON() {
      return this.json
    }
  }
  const act = async () => new FakeCredential()
  vi.stubGlobal('PublicKeyCredential', FakeCredential)
  vi.stubGlobal('navigator', {
    userAgent: 'Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0',
    languages: ['en'],
    credentials: { create: act, get: act },
  })
}
