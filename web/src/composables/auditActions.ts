import { useI18n } from 'vue-i18n'

/** What the audit log tells of: each verb under its noun, as an action is spelt `noun.verb`. */
export const AUDIT_ACTIONS = {
  session: ['started', 'locked', 'unlocked', 'ended', 'reauthenticated'],
  sign_in: ['failed'],
  unlock: ['failed'],
  reauthentication: ['failed'],
  user: ['added', 'changed', 'disabled', 'enabled', 'deleted'],
  password: ['changed', 'reset_link_made', 'reset'],
  totp: ['enabled', 'disabled'],
  recovery_codes: ['made'],
  recovery_code: ['used'],
  passkey: ['added', 'removed', 'refused'],
  identity: ['linked', 'unlinked'],
  factors: ['removed'],
  key: ['created', 'changed', 'revoked'],
  signing_key: ['replaced'],
  group: ['added', 'changed', 'disabled', 'enabled', 'deleted', 'joined', 'left'],
  webhook: ['added', 'removed'],
  notice: ['withdrawn'],
  log_level: ['changed'],
} as const

/** Names actions in the reader's language; one that is unknown here keeps the server's name. */
export function useAuditActions(): (action: string) => string {
  const { t, te } = useI18n()
  return (action) => (te(`audit.action.${action}`) ? t(`audit.action.${action}`) : action)
}
