/** Where the calls of other systems go. @param id of the key whose secret they are signed with */
export const hookAddress = (who: 'github' | 'custom', id?: number) =>
  [location.origin, 'api/v1/hooks', who, id].filter(Boolean).join('/')
