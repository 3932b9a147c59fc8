package services

import (
	"slices"
	"strings"

	"gorm.io/gorm"

	"belfry/models"
	"belfry/services/journal"
)

// kindKeyChanged is the entry that makes void what is kept of a key in memory.
const kindKeyChanged = "key_changed"

func usersOf(to *models.Target) *[]string  { return &to.Users }
func groupsOf(to *models.Target) *[]string { return &to.Groups }

// knownTarget refuses names that nobody has: a key that was made with a slip would be found out by its first alert, and whoever
// is given such a name later would get what was not for them.
func knownTarget(tx *gorm.DB, to Target) error {
	if _, err := userIDs(tx, to.Users, "to.users"); err != nil {
		return err
	}
	found, err := findNames(tx.Model(&models.Group{}), "name", to.Groups)
	if err != nil {
		return err
	}
	_, err = idsOf(to.Groups, found, "to.groups", unknownGroup)
	return err
}

// replaceInKeys has the keys that send to a user or group follow its new name; an empty one takes it out, for the next of the
// old name would be somebody else. list picks the names of the one kind or the other.
func replaceInKeys(tx *gorm.DB, list func(*models.Target) *[]string, was, name string) (drafts []journal.Draft, acts []Act, err error) {
	var keys []models.Key
	if err := tx.Where("deliver_to <> '' AND revoked_at IS NULL").Order("id").Find(&keys).Error; err != nil {
		return nil, nil, err
	}
	for _, key := range keys {
		spec := KeySpec{}
		if spec.To, err = key.Target(); err != nil {
			return nil, nil, err
		}
		names := list(&spec.To)
		isIt := func(n string) bool { return strings.EqualFold(n, was) }
		at := slices.IndexFunc(*names, isIt)
		if at < 0 {
			continue
		}
		if *names = slices.DeleteFunc(*names, isIt); name != "" { // it may stand there more than once
			*names = slices.Insert(*names, at, name)
		}
		to, err := spec.target()
		if err != nil {
			return nil, nil, err
		}
		if err := tx.Exec("UPDATE api_keys SET deliver_to = ? WHERE id = ?", to, key.ID).Error; err != nil {
			return nil, nil, err
		}
		drafts = append(drafts, journal.Draft{Kind: kindKeyChanged, Audiences: []string{keyAudience(key.ID)}, Payload: []byte("{}")})
		acts = append(acts, Act{Action: "key.changed", Key: key.Name, Detail: map[string]any{"id": key.ID}})
	}
	return drafts, acts, nil
}
