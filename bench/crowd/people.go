package crowd

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"gorm.io/gorm"

	"belfry/bench/server"
	"belfry/models"
	"belfry/services"
)

// Person is the name of one of the people, from 0 on.
func Person(i int) string { return fmt.Sprintf("ringer%05d", i) }

// rowsAtOnce are rows of one statement, which takes a bounded number of values.
const rowsAtOnce = 500

// writer writes people straight into the database: to sign ten thousand in would take a quarter of an hour of hashing.
type writer struct {
	t     testing.TB
	db    *services.Database
	write *gorm.DB
	shape Shape
	now   models.Instant
	users []models.User
	group models.Group // the one that notices are for
}

// write writes people with a session each, and the groups that all of them are in. It gives the cookies of the sessions.
func write(t testing.TB, database string, s Shape) (cookies []string) {
	t.Helper()
	if s.People == 0 {
		return nil
	}
	db, err := services.OpenDatabase(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	w := &writer{t: t, db: db, write: db.Write.WithContext(t.Context()), shape: s, now: models.InstantOf(time.Now())}
	w.writeUsers()
	w.writeGroups()
	if s.Log {
		w.writeLog()
	}
	return w.writeSessions()
}

func (w *writer) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *writer) writeUsers() {
	w.t.Helper()
	password := "none" // where nobody signs in: it is the hash of no password
	if w.shape.SignIn {
		var err error
		password, err = services.NewHasher(services.DefaultHashCost).Hash(w.t.Context(), server.Password)
		w.must(err)
	}
	w.users = make([]models.User, w.shape.People)
	for i := range w.users {
		w.users[i] = models.User{Username: Person(i), DisplayName: Person(i), Role: models.RoleUser, PasswordHash: password, CreatedAt: w.now}
	}
	w.must(w.write.CreateInBatches(&w.users, rowsAtOnce).Error)
}

// writeGroups makes groups with everybody in each.
func (w *writer) writeGroups() {
	w.t.Helper()
	groups := make([]models.Group, max(w.shape.Groups, 1))
	for i := range groups {
		groups[i] = models.Group{Name: fmt.Sprintf("%s-%d", Group, i), DisplayName: Group, CreatedAt: w.now}
	}
	groups[0].Name = Group
	w.must(w.write.CreateInBatches(&groups, rowsAtOnce).Error)
	w.group = groups[0]
	w.must(w.write.Exec("INSERT INTO memberships (group_id, user_id, joined_offset) SELECT g.id, u.id, 0 FROM groups g CROSS JOIN users u").Error)
}

func (w *writer) writeSessions() (cookies []string) {
	w.t.Helper()
	sessions := make([]models.Session, len(w.users))
	for i, user := range w.users {
		at := w.now
		if w.shape.LastSeen != nil {
			at = models.InstantOf(w.shape.LastSeen(i))
		}
		secret := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "the secret of session %010d", i))
		hash := sha256.Sum256([]byte(secret))
		sessions[i] = models.Session{ID: fmt.Sprintf("session-%014d", i), UserID: user.ID, SecretHash: hash[:], State: models.SessionActive,
			CreatedAt: at, LastActiveAt: at, ProvedAt: at, IP: "127.0.0.1", UserAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0"}
		cookies = append(cookies, cookie(w.t, &sessions[i], secret))
	}
	w.must(w.write.CreateInBatches(&sessions, rowsAtOnce).Error)
	return cookies
}

// cookie signs what the node would have given at sign-in.
func cookie(t testing.TB, s *models.Session, secret string) string {
	t.Helper()
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"iss": "belfry", "aud": []string{"belfry-session"}, "sid": s.ID, "jti": secret,
		"exp": s.CreatedAt.Time().Add(sessionMax + 24*time.Hour).Unix()})
	sum := sha256.Sum256([]byte("belfry kid " + signingKey))
	token.Header["typ"], token.Header["kid"] = "belfry-session+jwt", hex.EncodeToString(sum[:4])
	signed, err := token.SignedString([]byte(signingKey))
	if err != nil {
		t.Fatal(err)
	}
	return signed
}
