import type { Account } from '@client'
import {
  KeyRound,
  Link2,
  Lock,
  LogOut,
  ShieldMinus,
  ShieldPlus,
  Trash,
  UserCheck,
  UserX,
} from '@lucide/vue'
import { shallowRef, type Component } from 'vue'
import { useI18n } from 'vue-i18n'
import type { MenuItem } from '@/components/MenuButton.vue'
import type { Secret } from '@/components/SecretDialog.vue'
import { useAdminApi } from '@/composables/useAdminApi'
import { useFormat } from '@/composables/useFormat'
import { useQuestions } from '@/composables/useQuestions'
import { useMessages } from '@/stores/messages'
import { useSession } from '@/stores/session'

const ICONS = {
  reset: Link2,
  factors: KeyRound,
  promote: ShieldPlus,
  demote: ShieldMinus,
  lock: Lock,
  end: LogOut,
  disable: UserX,
  enable: UserCheck,
  delete: Trash,
} satisfies Record<string, Component>

type Act = keyof typeof ICONS

/** What is done without asking again: it takes nothing away that is not given back as easily. */
const AT_ONCE: readonly Act[] = ['lock', 'enable', 'demote']

/** What can be done to an account. Of one's own, nothing that would shut oneself out. */
const actsOn = ({ role, disabled }: Account, own: boolean): Act[] => [
  'reset',
  'factors',
  ...(own ? [] : ([role === 'admin' ? 'demote' : 'promote'] as const)),
  ...(own || disabled ? [] : (['lock', 'end'] as const)),
  ...(own ? [] : ([disabled ? 'enable' : 'disable', 'delete'] as const)),
]

/** What administrators do to accounts, each with the question that comes before it. */
export function useUserActions(changed: () => Promise<void>) {
  const { t } = useI18n()
  const api = useAdminApi()
  const session = useSession()
  const messages = useMessages()
  const questions = useQuestions()
  const { clock } = useFormat()
  const link = shallowRef<Secret | null>(null)

  const shown = (user: Account) => user.display_name || user.username

  async function reset(user: Account): Promise<void> {
    const made = await api.createResetLink(user.username)
    link.value = {
      title: t('users.linkTitle', { name: shown(user) }),
      body: t('users.linkBody', { time: clock(made.expires_at) }),
      fields: [{ label: t('users.link'), value: made.url }],
    }
  }

  const requests: Record<Exclude<Act, 'reset'>, (username: string) => Promise<unknown>> = {
    factors: (name) => api.deleteFactors(name),
    promote: (name) => api.updateUser(name, { role: 'admin' }),
    demote: (name) => api.updateUser(name, { role: 'user' }),
    lock: (name) => api.lockSessionsOf(name),
    end: (name) => api.endSessionsOf(name),
    disable: (name) => api.updateUser(name, { disabled: true }),
    enable: (name) => api.updateUser(name, { disabled: false }),
    delete: (name) => api.deleteUser(name),
  }

  async function run(act: Act, user: Account): Promise<void> {
    if (act === 'reset') return reset(user)
    await requests[act](user.username)
    messages.say(t(`users.said.${act}`, { name: shown(user) }))
    await changed()
  }

  function begin(act: Act, user: Account): void {
    const action = () => run(act, user)
    if (AT_ONCE.includes(act)) return void questions.attempt(action)
    questions.ask({
      title: t(`users.ask.${act}.title`, { name: shown(user) }),
      body: t(`users.ask.${act}.body`),
      action: t(`users.ask.${act}.do`),
      run: action,
    })
  }

  const actions = (user: Account): MenuItem[] =>
    actsOn(user, user.username === session.owner?.username).map((act) => ({
      label: t(`users.act.${act}`),
      icon: ICONS[act],
      run: () => begin(act, user),
    }))

  return { questions, link, actions }
}
