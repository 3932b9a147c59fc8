import type { SignOnAnswer } from '@client'
import { onScopeDispose } from 'vue'
import { comeBack } from './signOnChannel'

/** Why nothing came of a sign-in at the provider. */
export class SignOnFailure extends Error {
  readonly why: 'blocked' | 'declined'

  constructor(why: 'blocked' | 'declined') {
    super(why)
    this.why = why
  }
}

/** A sign-in at the provider in a window of its own, so that this page stays as it is. */
export function useSignOn(): (begin: () => Promise<{ url: string }>) => Promise<SignOnAnswer> {
  let waiting = new AbortController()
  onScopeDispose(() => waiting.abort())

  return async (begin) => {
    waiting.abort()
    const { signal } = (waiting = new AbortController())
    // Opened in the click itself: after an answer of the server browsers block it.
    const opened = window.open('', 'belfry-sign-on', 'popup,width=480,height=680')
    if (!opened) throw new SignOnFailure('blocked')
    let address: string
    try {
      address = (await begin()).url
    } catch (error) {
      opened.close()
      throw error
    }
    opened.location.replace(address)
    const state = new URL(address).searchParams.get('state') ?? ''
    const { code } = await comeBack(state, signal)
    if (!code) throw new SignOnFailure('declined')
    return { code, state }
  }
}
