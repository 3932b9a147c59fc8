// Made from openapi.json by `make api`; do not edit.

export type paths = Record<string, never>
export type webhooks = Record<string, never>
export interface components {
  schemas: {
    Action: {
      label: string
      url: string
    }
    AddGroupInputBody: {
      display_name?: string | null
      name: string
    }
    AddPasskeyInputBody: {
      ceremony: string
      /** @description What the browser's PublicKeyCredential.toJSON() gives */
      credential: {
        [key: string]: unknown
      }
      /** @description 1 to 100 characters, for its owner to know it by */
      name: string
    }
    AddUserInputBody: {
      display_name?: string | null
      password: string
      /**
       * @default user
       * @enum {string|null}
       */
      role?: 'user' | 'admin' | null
      username: string
    }
    AssertionInputBody: {
      ceremony: string
      /** @description What the browser's PublicKeyCredential.toJSON() gives */
      credential: {
        [key: string]: unknown
      }
    }
    Audience: {
      everyone?: boolean | null
      groups?: string[] | null
      users?: string[] | null
    }
    AuditActor: {
      name: string
      /** @description Hashed; empty where there is none */
      session: string
      /** @enum {string} */
      type: 'user' | 'key' | 'command' | 'provider' | 'system' | 'nobody'
    }
    AuditView: {
      /** @description A noun and a verb: session.locked */
      action: string
      actor: components['schemas']['AuditActor']
      /** Format: date-time */
      at: string
      detail: {
        [key: string]: unknown
      }
      /** Format: int64 */
      id: number
      ip: string
      /** @description The name of an API key */
      key: string
      /** @description Hashed */
      session: string
      /** @description Whom it concerned */
      user: string
      user_agent: string
    }
    AwayBody: {
      /** @description Where the browser is to go: at the provider */
      url: string
    }
    BatchAnswer: {
      /** @description Its place in the log; null of one that waits for its time */
      cursor: string | null
      /** Format: int64 */
      id: number
      /** Format: int64 */
      status: number
    }
    BatchLine: {
      actions?: components['schemas']['Action'][] | null
      /** @description At most 16 KiB */
      body?: string | null
      category?: string | null
      /** @description Of one sender and key, the newest replaces the older */
      collapse_key?: string | null
      /** @description An object that is passed on as it is, at most 16 KiB */
      data?: unknown
      /**
       * Format: date-time
       * @description When it is to reach anybody, at most a year ahead; a time that has passed is now
       */
      deliver_at?: string | null
      /** Format: date-time */
      expires_at?: string | null
      /**
       * @default text
       * @enum {string|null}
       */
      format?: 'text' | 'markdown' | null
      idempotency_key?: string | null
      /**
       * @default info
       * @enum {string|null}
       */
      severity?: 'info' | 'success' | 'warning' | 'critical' | null
      title: string
      to: components['schemas']['Audience']
      /** @description http, https or a path: where a click leads */
      url?: string | null
    }
    CeremonyView: {
      /** @description Goes back with what the browser answers; once, within 5 minutes */
      ceremony: string
      /** @description For PublicKeyCredential.parseCreationOptionsFromJSON or parseRequestOptionsFromJSON (W3C Web Authentication) */
      options: {
        [key: string]: unknown
      }
    }
    CodeInputBody: {
      /** @description What the app shows now; spaces and dashes do not matter */
      code: string
    }
    CountBody: {
      /** Format: int64 */
      count: number
    }
    CreateKeyInputBody: {
      /** @description That of its notices that name none: what people can mute them by */
      category?: string | null
      /** Format: date-time */
      expires_at?: string | null
      /**
       * @description For calls that their sender signs because it cannot send a key; the answer has the secret for it
       * @enum {string|null}
       */
      hook?: '' | 'github' | null
      mapping?: {
        body?: string | null
        category?: string | null
        collapse_key?: string | null
        /** @description What names a notice, so that it is published once though it is sent again within a day */
        idempotency_key?: string | null
        /** @description Which values are a notice each; the whole call where it is left out. One selector a segment, no functions, and no $ within a filter */
        items?: string | null
        severity?: {
          /** @description For what else the sender says, and for nothing; info where it is left out */
          default?: string | null
          /** @description A path to one value */
          from: string
          /** @description From what the sender says, in lower case, to info, success, warning or critical; at most 50. A value that is one of these needs no entry */
          values?: {
            [key: string]: string
          } | null
        } | null
        /** @description A path to one value, or a text that does not begin with $; the key's name where it finds nothing */
        title?: string | null
        url?: string | null
      } | null
      name: string
      /** @description How many notices it may publish on each node, evenly, as in 60/m; s, m or h; at most 1,000,000 */
      rate?: string | null
      scopes: string[]
      to?: {
        everyone?: boolean | null
        groups?: string[] | null
        users?: string[] | null
      } | null
    }
    CreateTaskInputBody: {
      title: string
      to?: {
        everyone?: boolean | null
        groups?: string[] | null
        users?: string[] | null
      } | null
    }
    CreateWebhookInputBody: {
      /** @description session.started, session.locked, session.unlocked, session.ended; all when left out */
      events?: string[] | null
      /** @description http or https; redirects are not followed */
      url: string
    }
    Delivered: {
      /** Format: int64 */
      dropped: number
      /** Format: int64 */
      evicted: number
      /** Format: int64 */
      queued: number
      /** Format: int64 */
      replayed: number
      /** Format: int64 */
      resets: number
      /** Format: int64 */
      waiting: number
      /** Format: int64 */
      withdrawn: number
      /** Format: int64 */
      written: number
    }
    FactorsView: {
      /** Format: int64 */
      passkeys: number
      password: boolean
      /**
       * Format: int64
       * @description How many are left
       */
      recovery_codes: number
      single_sign_on: boolean
      /** @description An authenticator app is on */
      totp: boolean
    }
    FieldError: {
      /** @description What is expected there */
      detail: string
      /** @description Where in the input, as a dotted path */
      field: string
    }
    FinishTaskInputBody: {
      /** Format: int64 */
      exit_code?: number | null
      /** @enum {string} */
      state: 'succeeded' | 'failed' | 'canceled'
    }
    GroupView: {
      /** Format: date-time */
      created_at: string
      /** @description It takes no new notices; its members keep what they have */
      disabled: boolean
      display_name: string
      members: string[]
      name: string
    }
    HookAnswer: {
      /** @description Those that were published, in their order */
      notices: components['schemas']['HookNotice'][]
      /** @description Those that were not, while others were; where none was, the call is refused as the first of them */
      refused: components['schemas']['HookRefusal'][]
    }
    HookNotice: {
      /** @description Its place in the log; null of one that waits for its time */
      cursor: string | null
      /** Format: int64 */
      id: number
      /**
       * Format: int64
       * @description Which of the call's it is, from 0
       */
      index: number
    }
    HookRefusal: {
      /**
       * Format: int64
       * @description Which of the call's it is, from 0
       */
      index: number
      problem: components['schemas']['Problem']
    }
    ItemsAuditView: {
      items: components['schemas']['AuditView'][]
      /** @description Where the next page begins; null at the end */
      next_before: string | null
    }
    ItemsGroupView: {
      items: components['schemas']['GroupView'][]
      /** @description Where the next page begins; null at the end */
      next_before: string | null
    }
    ItemsKeyView: {
      items: components['schemas']['KeyView'][]
      /** @description Where the next page begins; null at the end */
      next_before: string | null
    }
    ItemsPasskeyView: {
      items: components['schemas']['PasskeyView'][]
      /** @description Where the next page begins; null at the end */
      next_before: string | null
    }
    ItemsReceipt: {
      items: components['schemas']['Receipt'][]
      /** @description Where the next page begins; null at the end */
      next_before: string | null
    }
    ItemsRecipient: {
      items: components['schemas']['Recipient'][]
      /** @description Where the next page begins; null at the end */
      next_before: string | null
    }
    ItemsSentNotice: {
      items: components['schemas']['SentNotice'][]
      /** @description Where the next page begins; null at the end */
      next_before: string | null
    }
    ItemsSessionView: {
      items: components['schemas']['SessionView'][]
      /** @description Where the next page begins; null at the end */
      next_before: string | null
    }
    ItemsTaskView: {
      items: components['schemas']['TaskView'][]
      /** @description Where the next page begins; null at the end */
      next_before: string | null
    }
    ItemsUserView: {
      items: components['schemas']['UserView'][]
      /** @description Where the next page begins; null at the end */
      next_before: string | null
    }
    ItemsWebhookView: {
      items: components['schemas']['WebhookView'][]
      /** @description Where the next page begins; null at the end */
      next_before: string | null
    }
    KeyView: {
      /** @description That of its notices that name none; empty = none */
      category: string
      /** Format: date-time */
      created_at: string
      /** Format: date-time */
      expires_at: string | null
      /**
       * @description Whose calls are signed for it; empty = nobody's
       * @enum {string}
       */
      hook: '' | 'github'
      /** Format: int64 */
      id: number
      /**
       * Format: date-time
       * @description Up to a minute behind; null = never
       */
      last_used_at: string | null
      mapping: {
        body?: string | null
        category?: string | null
        collapse_key?: string | null
        /** @description What names a notice, so that it is published once though it is sent again within a day */
        idempotency_key?: string | null
        /** @description Which values are a notice each; the whole call where it is left out. One selector a segment, no functions, and no $ within a filter */
        items?: string | null
        severity?: {
          /** @description For what else the sender says, and for nothing; info where it is left out */
          default?: string | null
          /** @description A path to one value */
          from: string
          /** @description From what the sender says, in lower case, to info, success, warning or critical; at most 50. A value that is one of these needs no entry */
          values?: {
            [key: string]: string
          } | null
        } | null
        /** @description A path to one value, or a text that does not begin with $; the key's name where it finds nothing */
        title?: string | null
        url?: string | null
      } | null
      name: string
      /** @description How much it may publish; empty = no limit */
      rate: string
      scopes: string[]
      /** @description For whom its notices are that come without recipients */
      to: components['schemas']['Target']
    }
    LogEnd: {
      /** Format: int64 */
      end: number
    }
    LogLevelBody: {
      nodes: components['schemas']['NodeLogLevel'][]
      /** @description Nodes that did not answer within two seconds */
      silent_nodes: string[]
    }
    LogLevelInputBody: {
      /** @enum {string} */
      level: 'debug' | 'info' | 'warn' | 'error'
    }
    LoginInputBody: {
      /** @description Of the authenticator app, or a recovery code; spaces and dashes do not matter. Where it is needed and missing the refusal is second_factor_required */
      code?: string | null
      password: string
      username: string
    }
    LoginWays: {
      passkeys: boolean
      single_sign_on: {
        name: string
      } | null
    }
    MarkInputBody: {
      archived?: boolean | null
      ids?: number[] | null
      read?: boolean | null
      /**
       * Format: date-time
       * @description At most a year ahead; null brings back. What is put off is not archived
       */
      snoozed_until?: string | null
      /** @description A cursor: all of the inbox at or before it */
      up_to?: string | null
    }
    Marked: {
      /** Format: int64 */
      changed: number
      /** Format: int64 */
      unread: number
    }
    Marks: {
      archived?: boolean | null
      read?: boolean | null
      /**
       * Format: date-time
       * @description At most a year ahead; null brings back. What is put off is not archived
       */
      snoozed_until?: string | null
    }
    Minted: {
      /** Format: int64 */
      expires_in_ms: number
      /** @description Opens streams: ?token= or Authorization: Bearer, on /sse/ alone */
      token: string
    }
    NewKeyView: {
      /** @description That of its notices that name none; empty = none */
      category: string
      /** Format: date-time */
      created_at: string
      /** Format: date-time */
      expires_at: string | null
      /**
       * @description Whose calls are signed for it; empty = nobody's
       * @enum {string}
       */
      hook: '' | 'github'
      /** @description What calls are signed with, of a key with a hook; shown this once */
      hook_secret?: string
      /** Format: int64 */
      id: number
      /** @description The secret; shown this once */
      key: string
      /**
       * Format: date-time
       * @description Up to a minute behind; null = never
       */
      last_used_at: string | null
      mapping: {
        body?: string | null
        category?: string | null
        collapse_key?: string | null
        /** @description What names a notice, so that it is published once though it is sent again within a day */
        idempotency_key?: string | null
        /** @description Which values are a notice each; the whole call where it is left out. One selector a segment, no functions, and no $ within a filter */
        items?: string | null
        severity?: {
          /** @description For what else the sender says, and for nothing; info where it is left out */
          default?: string | null
          /** @description A path to one value */
          from: string
          /** @description From what the sender says, in lower case, to info, success, warning or critical; at most 50. A value that is one of these needs no entry */
          values?: {
            [key: string]: string
          } | null
        } | null
        /** @description A path to one value, or a text that does not begin with $; the key's name where it finds nothing */
        title?: string | null
        url?: string | null
      } | null
      name: string
      /** @description How much it may publish; empty = no limit */
      rate: string
      scopes: string[]
      /** @description For whom its notices are that come without recipients */
      to: components['schemas']['Target']
    }
    NewPasswordInputBody: {
      current: string
      new: string
    }
    NewTOTP: {
      /** @description Base32, to be typed into an app */
      secret: string
      /** @description otpauth://…, to be shown as a QR code */
      uri: string
    }
    NewWebhookView: {
      /** Format: date-time */
      created_at: string
      /**
       * Format: date-time
       * @description When the receiver answered 410; it is sent nothing from then on
       */
      disabled_at: string | null
      events: string[]
      /**
       * Format: date-time
       * @description Since when no attempt has succeeded; null = the last one did
       */
      failing_since: string | null
      /**
       * Format: int64
       * @description Messages that were tried for about 28 hours, and no longer
       */
      given_up: number
      /** Format: int64 */
      id: number
      /**
       * Format: date-time
       * @description The last attempt; null = none yet
       */
      last_delivery_at: string | null
      /**
       * Format: int64
       * @description HTTP status of its answer; null = no answer came
       */
      last_status: number | null
      /** @description What messages are signed with (Standard Webhooks); shown this once */
      secret: string
      url: string
    }
    NodeLogLevel: {
      /**
       * @description The least level that it logs now
       * @enum {string}
       */
      level: 'debug' | 'info' | 'warn' | 'error'
      node: string
      /**
       * @description LOG_LEVEL, with which it begins again when it is restarted
       * @enum {string}
       */
      setting: 'debug' | 'info' | 'warn' | 'error'
    }
    NodeReport: {
      delivered: components['schemas']['Delivered']
      id: string
      /** @description Host and port */
      name: string
      now: components['schemas']['NodeSample']
      /**
       * Format: date-time
       * @description What is counted is counted since then
       */
      started_at: string
      /**
       * Format: int64
       * @description Notices that this node put into the log
       */
      stored: number
      version: string
    }
    NodeSample: {
      /** Format: double */
      deliveries_per_s: number
      /**
       * Format: double
       * @description Streams cut because they were read too slowly
       */
      evictions_per_s: number
      /** @description Of the node */
      id: string
      /**
       * Format: double
       * @description From commit to write
       */
      lag_p50_ms: number | null
      /** Format: double */
      lag_p99_ms: number | null
      /**
       * Format: double
       * @description Sessions locked; the same on each node
       */
      locks_per_s: number
      name: string
      /**
       * Format: double
       * @description Until a notice was durable
       */
      publish_p99_ms: number | null
      /**
       * Format: double
       * @description Notices that this node put into the log
       */
      publishes_per_s: number
      /** Format: int64 */
      streams: number
      /**
       * Format: int64
       * @description Entries queued for streams
       */
      waiting: number
    }
    NoticePage: {
      /** @description A stream that starts here misses nothing */
      cursor: string
      items: components['schemas']['NoticeView'][]
      /** @description Null at the end */
      next_before: string | null
      /** Format: int64 */
      unread: number
    }
    NoticeView: {
      actions: components['schemas']['Action'][] | null
      /** Format: date-time */
      archived_at: string | null
      body: string
      category: string | null
      collapse_key: string | null
      /** Format: date-time */
      created_at: string
      cursor: string
      data: {
        [key: string]: unknown
      } | null
      /** Format: date-time */
      expires_at: string | null
      /** @enum {string} */
      format: 'text' | 'markdown'
      /** Format: int64 */
      id: number
      /** Format: date-time */
      read_at: string | null
      sender: components['schemas']['Sender']
      /** @enum {string} */
      severity: 'info' | 'success' | 'warning' | 'critical'
      /** Format: date-time */
      snoozed_until: string | null
      title: string
      url: string | null
    }
    PasskeyView: {
      /** Format: date-time */
      created_at: string
      /** Format: int64 */
      id: number
      /** Format: date-time */
      last_used_at: string | null
      name: string
    }
    PasswordInputBody: {
      password: string
    }
    PatchGroupInputBody: {
      disabled?: boolean | null
      display_name?: string | null
      /** @description The group stays the same one: members, notices, what waits for its time, and keys that send to it go with it */
      name?: string | null
    }
    PatchProfileInputBody: {
      display_name: string
    }
    PatchUserInputBody: {
      disabled?: boolean | null
      display_name?: string | null
      password?: string | null
      /** @enum {string|null} */
      role?: 'user' | 'admin' | null
      /** @description The person stays the same one: inbox, sessions, groups, and keys that send to them go with it */
      username?: string | null
    }
    Preferences: {
      /**
       * @description Left out: comfortable
       * @enum {string|null}
       */
      density?: 'comfortable' | 'compact' | null
      /**
       * @description Null follows the browser
       * @enum {string|null}
       */
      locale?: 'en' | 'zh-CN' | null
      /** @description Categories of 1 to 64 characters that do not pop up, sound or push; left out: none */
      muted?: string[] | null
      /** @description Left out: true */
      popups?: boolean | null
      quiet_hours?: {
        /** @description On which they begin, each once */
        days: ('mon' | 'tue' | 'wed' | 'thu' | 'fri' | 'sat' | 'sun')[]
        /** @description HH:MM */
        from: string
        /** @description IANA, such as Asia/Shanghai */
        time_zone: string
        /** @description At or before from: of the next day */
        to: string
      } | null
      /** @description Left out: false */
      sound?: boolean | null
      /**
       * @description Left out: system
       * @enum {string|null}
       */
      theme?: 'system' | 'light' | 'dark' | 'contrast' | null
    }
    Problem: {
      /**
       * Format: int64
       * @description Wrong passwords left before the session ends
       */
      attempts_left?: number
      /**
       * @description Stable, for programs
       * @enum {string}
       */
      code:
        | 'conflict'
        | 'forbidden'
        | 'idempotency_mismatch'
        | 'internal'
        | 'invalid'
        | 'locked'
        | 'method_not_allowed'
        | 'not_found'
        | 'rate_limited'
        | 'reauthentication_required'
        | 'second_factor_required'
        | 'too_large'
        | 'unauthenticated'
        | 'unavailable'
        | 'unsupported_media_type'
      detail?: string
      /**
       * Format: int64
       * @description Where the log ends that was to be added to
       */
      end?: number
      /** @description What is wrong with which field; never the value */
      errors?: components['schemas']['FieldError'][]
      /** @description Why a session has ended */
      reason?: string
      /** Format: int64 */
      status: number
      title: string
      /** @description about:blank: the code says which problem it is */
      type: string
    }
    PublishBody: {
      actions?: components['schemas']['Action'][] | null
      /** @description At most 16 KiB */
      body?: string | null
      category?: string | null
      /** @description Of one sender and key, the newest replaces the older */
      collapse_key?: string | null
      /** @description An object that is passed on as it is, at most 16 KiB */
      data?: unknown
      /**
       * Format: date-time
       * @description When it is to reach anybody, at most a year ahead; a time that has passed is now
       */
      deliver_at?: string | null
      /** Format: date-time */
      expires_at?: string | null
      /**
       * @default text
       * @enum {string|null}
       */
      format?: 'text' | 'markdown' | null
      /**
       * @default info
       * @enum {string|null}
       */
      severity?: 'info' | 'success' | 'warning' | 'critical' | null
      title: string
      to: components['schemas']['Audience']
      /** @description http, https or a path: where a click leads */
      url?: string | null
    }
    PublishedView: {
      /** @description Its place in the log; null of one that waits for its time */
      cursor: string | null
      /** Format: int64 */
      id: number
    }
    PushKeyView: {
      /** @description The applicationServerKey to subscribe with: an uncompressed point of P-256, base64url (RFC 8292) */
      key: string
    }
    PushKeys: {
      /** @description The shared secret, base64url */
      auth: string
      /** @description The browser's public key, base64url */
      p256dh: string
    }
    PushSubscriptionBody: {
      /** @description At one of PUSH_HOSTS */
      endpoint: string
      /**
       * Format: double
       * @description Not needed: the push service says when it is over
       */
      expirationTime?: number | null
      keys: components['schemas']['PushKeys']
    }
    PutUserInputBody: {
      disabled?: boolean | null
      display_name?: string | null
      /** @description To be in; others are left as they are */
      groups?: string[] | null
      /** @enum {string|null} */
      role?: 'user' | 'admin' | null
    }
    Receipt: {
      display_name: string
      /** Format: date-time */
      read_at: string
      username: string
    }
    Recipient: {
      display_name: string
      name: string
      /** @enum {string} */
      type: 'user' | 'group'
    }
    RecoveryCodes: {
      /** @description Each signs in once in place of the app; shown this once */
      recovery_codes: string[]
    }
    ResetInputBody: {
      new: string
      token: string
    }
    ResetView: {
      /** Format: date-time */
      expires_at: string
      /** @description For the person alone; shown this once */
      url: string
    }
    ReturnedInputBody: {
      /** @description As the provider gave it to the page */
      code: string
      state: string
    }
    Sender: {
      name: string
      /** @enum {string} */
      type: 'user' | 'key' | 'system'
    }
    SentNotice: {
      actions: components['schemas']['Action'][] | null
      body: string
      category: string | null
      collapse_key: string | null
      /**
       * Format: date-time
       * @description When it was released, if it was scheduled and is
       */
      created_at: string
      /** @description Its place in the log; null until a scheduled one is released */
      cursor: string | null
      data: {
        [key: string]: unknown
      } | null
      /**
       * Format: date-time
       * @description When it is to be released; null of what was
       */
      deliver_at: string | null
      /** Format: date-time */
      expires_at: string | null
      /** @enum {string} */
      format: 'text' | 'markdown'
      /** Format: int64 */
      id: number
      /**
       * Format: int64
       * @description How many of them have read it
       */
      reads: number
      /**
       * Format: int64
       * @description In how many inboxes it is now, or would be
       */
      recipients: number
      sender: components['schemas']['Sender']
      /** @enum {string} */
      severity: 'info' | 'success' | 'warning' | 'critical'
      title: string
      to: components['schemas']['SentTo']
      url: string | null
      /** Format: date-time */
      withdrawn_at: string | null
    }
    SentTo: {
      everyone: boolean
      groups: string[]
      users: string[]
    }
    SessionUser: {
      display_name: string
      /** @description A BCP 47 tag; empty where none was chosen */
      locale: string
      /** @enum {string} */
      role: 'user' | 'admin'
      username: string
    }
    SessionView: {
      /** Format: date-time */
      created_at: string
      current: boolean
      /** @description Opaque; not the secret */
      id: string
      /** Format: int64 */
      idle_remaining_ms: number
      ip: string
      /** Format: date-time */
      last_active_at: string
      /** Format: int64 */
      max_remaining_ms: number
      /** @enum {string|null} */
      reason:
        | 'idle'
        | 'manual'
        | 'remote'
        | 'admin'
        | 'max_age'
        | 'logout'
        | 'revoked'
        | 'password_changed'
        | 'disabled'
        | 'too_many_attempts'
        | null
      /** @enum {string} */
      state: 'active' | 'locked' | 'ended'
      user: components['schemas']['SessionUser']
      user_agent: string
      /** Format: int64 */
      warning_ms: number
    }
    SettledView: {
      /** @description What was not so before */
      changes: ('display_name' | 'role' | 'disabled' | 'groups')[]
      /** @enum {string} */
      result: 'added' | 'changed' | 'unchanged'
      user: components['schemas']['UserView']
    }
    StatsBody: {
      /** @description By these nodes together. Queued and replayed are at any moment as many as written, withdrawn, dropped and waiting */
      delivered: components['schemas']['Delivered']
      /** @description As of the last second; the one that answers comes first */
      nodes: components['schemas']['NodeReport'][]
      /**
       * Format: int64
       * @description Notices that these nodes put into the log since they began
       */
      stored: number
      user: {
        /** @description Of all nodes that answered */
        delivered: components['schemas']['Delivered']
        /** @description Nodes that did not answer */
        silent_nodes: string[]
        /**
         * Format: int64
         * @description Notices in the log that are theirs
         */
        stored: number
        username: string
      } | null
    }
    StreamList: {
      /** @description Those that are most behind first, then the newest */
      items: components['schemas']['StreamState'][]
      /** @description Always null: ask for one person's to see the rest */
      next_before: string | null
      /**
       * Format: int64
       * @description Streams of all nodes that answered, of everybody
       */
      open: number
      /** @description Nodes that did not answer within two seconds */
      silent_nodes: string[]
    }
    StreamState: {
      /**
       * Format: int64
       * @description Of this person's streams, by this node
       */
      evictions: number
      /** @enum {string} */
      kind: 'notices' | 'task' | 'stats'
      /**
       * Format: int64
       * @description For how long the reader has been behind; 0 = it keeps up
       */
      lag_ms: number
      node: string
      /** Format: date-time */
      opened_at: string
      /** Format: int64 */
      queue_bytes: number
      /** Format: int64 */
      replayed: number
      /** @description Hashed, as the record shows it; empty for a ticket that a key minted */
      session: string
      user: string
      /**
       * Format: int64
       * @description Entries queued, or on their way
       */
      waiting: number
      /** Format: int64 */
      written: number
    }
    SubscribedView: {
      endpoint: string
    }
    Target: {
      everyone?: boolean | null
      groups?: string[] | null
      users?: string[] | null
    }
    TaskView: {
      /**
       * Format: int64
       * @description The end of its log
       */
      bytes: number
      /** Format: date-time */
      created_at: string
      /** Format: date-time */
      ended_at: string | null
      /** Format: int64 */
      exit_code: number | null
      /** Format: int64 */
      id: number
      /** @enum {string} */
      state: 'running' | 'succeeded' | 'failed' | 'canceled'
      title: string
    }
    UnlockWays: {
      passkey: boolean
      password: boolean
      single_sign_on: boolean
    }
    UnsubscribePushInputBody: {
      endpoint: string
    }
    UserView: {
      /** Format: date-time */
      created_at: string
      disabled: boolean
      display_name: string
      /** @description False of who signs in at the provider alone, or has not used a reset link yet */
      has_password: boolean
      locale: string
      /** @enum {string} */
      role: 'user' | 'admin'
      username: string
    }
    WebhookView: {
      /** Format: date-time */
      created_at: string
      /**
       * Format: date-time
       * @description When the receiver answered 410; it is sent nothing from then on
       */
      disabled_at: string | null
      events: string[]
      /**
       * Format: date-time
       * @description Since when no attempt has succeeded; null = the last one did
       */
      failing_since: string | null
      /**
       * Format: int64
       * @description Messages that were tried for about 28 hours, and no longer
       */
      given_up: number
      /** Format: int64 */
      id: number
      /**
       * Format: date-time
       * @description The last attempt; null = none yet
       */
      last_delivery_at: string | null
      /**
       * Format: int64
       * @description HTTP status of its answer; null = no answer came
       */
      last_status: number | null
      url: string
    }
  }
  responses: never
  parameters: never
  requestBodies: never
  headers: never
  pathItems: never
}
export type $defs = Record<string, never>
export type operations = Record<string, never>
