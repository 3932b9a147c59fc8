import { TaskApi } from '@client/tasks'
import { defineStore } from 'pinia'
import { longList } from './longList'
import { useSession } from './session'

/** The tasks that the reader may see, newest first. */
export const useTasks = defineStore('tasks', () => {
  const api = new TaskApi(useSession().api)
  return longList((query) => api.list(query))
})
