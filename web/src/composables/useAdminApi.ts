import { AdminApi } from '@client/admin'
import { useSession } from '@/stores/session'

/** The administrators' part of the interface, for the session of this page. */
export const useAdminApi = () => new AdminApi(useSession().api)
