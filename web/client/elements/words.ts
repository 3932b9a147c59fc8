import type { SessionReason, Severity } from '../types'

const reasons: Record<SessionReason, string> = {
  idle: 'Locked after a time without activity',
  manual: 'You locked this session',
  remote: 'Locked by you on another device',
  admin: 'Locked by an administrator',
  max_age: 'This session has reached its longest time',
  logout: 'You signed out',
  revoked: 'You ended this session on another device',
  password_changed: 'The password was changed',
  disabled: 'This account has been disabled',
  too_many_attempts: 'Too many wrong passwords',
}

const severity: Record<Severity, string> = {
  info: 'Info',
  success: 'Success',
  warning: 'Warning',
  critical: 'Critical',
}

const en = {
  severity,
  bell: {
    title: 'Notifications',
    label: (n: number) =>
      n === 0 ? 'Notifications, nothing unread' : `Notifications, ${n} unread`,
    readAll: 'Mark all read',
    read: 'Mark read',
    unread: 'Mark unread',
    archive: 'Archive',
    unreadMark: 'Unread',
    open: 'Open inbox',
    loading: 'Loading…',
    empty: 'Nothing here. When a message comes, it rings here at once.',
    emptyLive: 'Nothing new since this page was opened.',
    failed: 'The messages could not be loaded.',
    locked: 'Locked. Unlock to see your messages.',
    signedOut: 'Sign in to see your messages.',
    over: 'Messages no longer come in. Reload the page.',
    signIn: 'Open Belfry',
    arrived: (title: string) => `New message: ${title}`,
    notSaved: 'That could not be saved, and was put back.',
    retry: 'Retry',
  },
  status: {
    idle: 'Not connected',
    connecting: 'Connecting…',
    live: 'Live',
    stale: (time: string) => `Not live since ${time}`,
    offline: 'Offline',
    locked: 'Locked',
    ended: 'Signed out',
  },
  lock: {
    reasons,
    title: 'Locked',
    endedTitle: 'Sign in again',
    signedOutTitle: 'Sign in',
    checkingTitle: 'One moment',
    checking: 'Checking your session…',
    unreachable:
      'The server cannot be reached. Your page is kept, and shown again when it answers.',
    over: 'This session is over',
    signedOut: 'This page is shown once you have signed in.',
    kept: (name: string) => `Your page is kept: sign in as ${name} to go on where you were.`,
    password: (name: string) => `Password of ${name}`,
    unlock: 'Unlock',
    busy: 'Unlocking…',
    otherWays: 'Unlock in another way, or sign in as someone else',
    elsewhere: 'This session is unlocked on Belfry’s own page.',
    signIn: 'Sign in',
    newTab: 'opens in a new tab',
    retry: 'Try again',
    wrong: (left: number | null) =>
      left === null
        ? 'Wrong password.'
        : left === 0
          ? 'Wrong password. The next wrong one ends this session.'
          : `Wrong password. ${left} ${left === 1 ? 'try is' : 'tries are'} left.`,
    throttled: 'Too many tries. Wait a moment, then try again.',
    failed: 'That did not work. Try again.',
  },
  warning: {
    idleTitle: 'Your session is about to lock',
    maxAgeTitle: 'You sign in again soon',
    idle: (time: string) => `Your session locks in ${time}`,
    max_age: (time: string) => `You sign in again in ${time}`,
    idleBody: 'Any key or click keeps it open. If it locks nothing is lost.',
    maxAgeBody: 'Sessions have a longest time. Your page is kept while you sign in.',
    stay: 'Stay signed in',
    aloud: (kind: 'idle' | 'max_age', n: number) =>
      `${kind === 'idle' ? 'Your session locks' : 'You sign in again'} in ${n} ${n === 1 ? 'second' : 'seconds'}.`,
  },
}

/** Everything the elements say. */
export type Words = typeof en

const zhCN: Words = {
  severity: { info: '提示', success: '成功', warning: '警告', critical: '紧急' },
  bell: {
    title: '通知',
    label: (n) => (n === 0 ? '通知，没有未读' : `通知，${n} 条未读`),
    readAll: '全部标为已读',
    read: '标为已读',
    unread: '标为未读',
    archive: '归档',
    unreadMark: '未读',
    open: '打开收件箱',
    loading: '正在加载…',
    empty: '这里还没有消息。新消息一到，立刻出现在这里。',
    emptyLive: '打开本页以来没有新消息。',
    failed: '消息没能加载出来。',
    locked: '已锁定，解锁后才能看到消息。',
    signedOut: '登录后才能看到消息。',
    over: '不再接收消息，请重新加载页面。',
    signIn: '打开 Belfry',
    arrived: (title) => `新消息：${title}`,
    notSaved: '没有保存成功，已恢复原样。',
    retry: '重试',
  },
  status: {
    idle: '未连接',
    connecting: '正在连接…',
    live: '实时',
    stale: (time) => `${time} 起未更新`,
    offline: '已离线',
    locked: '已锁定',
    ended: '已退出登录',
  },
  lock: {
    reasons: {
      idle: '长时间没有操作，已自动锁定',
      manual: '你锁定了此会话',
      remote: '你在另一台设备上锁定了此会话',
      admin: '管理员锁定了此会话',
      max_age: '会话已达到最长时限',
      logout: '你已退出登录',
      revoked: '你在另一台设备上结束了此会话',
      password_changed: '密码已更改',
      disabled: '此账户已停用',
      too_many_attempts: '密码错误次数过多',
    },
    title: '已锁定',
    endedTitle: '请重新登录',
    signedOutTitle: '登录',
    checkingTitle: '请稍候',
    checking: '正在确认会话…',
    unreachable: '连不上服务器。页面已保留，服务器恢复后会重新显示。',
    over: '会话已结束',
    signedOut: '登录后才会显示本页。',
    kept: (name) => `页面已保留：以 ${name} 登录即可接着做。`,
    password: (name) => `${name} 的密码`,
    unlock: '解锁',
    busy: '正在解锁…',
    otherWays: '用其他方式解锁，或换个账户登录',
    elsewhere: '此会话需在 Belfry 自己的页面上解锁。',
    signIn: '登录',
    newTab: '在新标签页中打开',
    retry: '重试',
    wrong: (left) =>
      left === null
        ? '密码不正确。'
        : left === 0
          ? '密码不正确，再错一次会话就会结束。'
          : `密码不正确，还可以试 ${left} 次。`,
    throttled: '尝试次数过多，请稍后再试。',
    failed: '没有成功，请再试一次。',
  },
  warning: {
    idleTitle: '会话即将锁定',
    maxAgeTitle: '即将需要重新登录',
    idle: (time) => `${time} 后锁定`,
    max_age: (time) => `${time} 后需要重新登录`,
    idleBody: '按任意键或点击即可保持。即使锁定，内容也不会丢失。',
    maxAgeBody: '会话有最长时限。重新登录期间，页面会为你保留。',
    stay: '保持登录',
    aloud: (kind, n) => (kind === 'idle' ? `会话将在 ${n} 秒后锁定。` : `${n} 秒后需要重新登录。`),
  },
}

/** The words for a language tag; English for one that is not spoken here. */
export const wordsFor = (language: string): Words => (/^zh\b/i.test(language) ? zhCN : en)

/** What language an element is to speak: its own, that of the page around it, or the browser's. */
export function languageOf(element: Element): string {
  for (let at: Element | null = element; at;) {
    const lang = at.closest('[lang]')?.getAttribute('lang')
    if (lang) return lang
    const root = at.getRootNode()
    at = root instanceof ShadowRoot ? root.host : null
  }
  return navigator.language
}

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** Writes times for readers of one language; one it does not know is written as the browser's. */
export class Clock {
  private readonly language: string

  constructor(language: string) {
    const known = /^[a-z]{2,3}(-[a-z0-9]{2,8})*$/i.test(language)
    this.language = known ? language : navigator.language
  }

  /** "14:02" */
  time(at: number): string {
    return this.format(at, { hour: 'numeric', minute: '2-digit' })
  }

  exact(at: string): string {
    return this.format(at, { dateStyle: 'full', timeStyle: 'medium' })
  }

  /** "2 min. ago", and the date of what is older than a day. */
  relative(at: string, now: number): string {
    const passed = Math.max(0, now - Date.parse(at))
    if (passed >= DAY_MS) return this.format(at, { month: 'short', day: 'numeric' })
    const words = new Intl.RelativeTimeFormat(this.language, { numeric: 'auto', style: 'narrow' })
    // What Intl has in Chinese is "at present", and nobody says that of a message.
    if (passed < MINUTE_MS) return /^zh/.test(this.language) ? '刚刚' : words.format(0, 'second')
    if (passed < HOUR_MS) return words.format(-Math.floor(passed / MINUTE_MS), 'minute')
    return words.format(-Math.floor(passed / HOUR_MS), 'hour')
  }

  private format(at: string | number, options: Intl.DateTimeFormatOptions): string {
    return new Intl.DateTimeFormat(this.language, options).format(new Date(at))
  }
}

/** "0:59" */
export function countdown(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1000))
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}
