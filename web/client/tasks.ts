import { queryString, type Api } from './api'
import type { Task, TaskPage } from './types'

export { TaskStream, type LogPiece, type TaskStreamEvents } from './task-stream'

/** A stretch of a log, with how the log stood when it was read. */
export interface LogText {
  /** Where the bytes begin: as asked for, or the log's end where that is before it. */
  offset: number
  bytes: Uint8Array<ArrayBuffer>
  /** The place after the log's last byte. */
  end: number
  state: Task['state']
}

const taskPath = (id: number) => `/tasks/${id}`

/** The routes about tasks, apart from the others: few pages need them. */
export class TaskApi {
  private readonly api: Pick<Api, 'base' | 'request'>

  constructor(api: Pick<Api, 'base' | 'request'>) {
    this.api = api
  }

  /** Those that the user may read, newest first. */
  async list(page: { before?: string; limit?: number } = {}): Promise<TaskPage> {
    return (await (await this.api.request('GET', `/tasks${queryString(page)}`)).json()) as TaskPage
  }

  async get(id: number): Promise<Task> {
    return (await (await this.api.request('GET', taskPath(id))).json()) as Task
  }

  /**
   * Reads of a log.
   * @param stretch the first byte, and how many at most; all that follow when left out
   */
  async log(id: number, stretch: { from: number; limit?: number }): Promise<LogText> {
    const response = await this.api.request('GET', `${taskPath(id)}/log${queryString(stretch)}`)
    const end = Number(response.headers.get('Log-End'))
    return {
      offset: Math.min(stretch.from, end),
      bytes: new Uint8Array(await response.arrayBuffer()),
      end,
      state: response.headers.get('Task-State') as Task['state'],
    }
  }

  /** Where a browser can download the whole log, as it is. */
  logUrl(id: number): string {
    return `${this.api.base}${taskPath(id)}/log`
  }
}
