package services

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"testing"

	"github.com/descope/virtualwebauthn"
	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"belfry/models"
)

// fixedKey is a device's private key (PKCS #8): every process that fuzzes has to know the same device and question.
const fixedKey = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgMT/+kH7r6XcnjtBsrYoLh62YUpRmXXmJQLHJWT1PxF6hRANCAATzWXZ3h1xMCUclYVXMwV3Ci7c+6zVn0QA15bwiVM1w1T0M8cQleSBqlz/+anLt2zcPYOOKFpCUPRVt+GiYhsAy"

// FuzzPasskeyAnswer: of all that may be sent for one question nothing is accepted but what the device signed for it, in
// whatever JSON, and nothing upsets the reader.
// Security: S43
func FuzzPasskeyAnswer(f *testing.F) {
	party := NewPasskeys(nil, nil, homepage, slog.New(slog.NewTextHandler(io.Discard, nil))).party
	d, h := newDevice(), &holder{user: &models.User{Username: "anna"}, handle: bytes.Repeat([]byte("h"), handleSize)}
	d.key = virtualwebauthn.NewCredentialWithImportedKey(virtualwebauthn.KeyTypeEC2, got(base64.StdEncoding.DecodeString(fixedKey))(f))
	d.key.ID = []byte("the only passkey")
	creation, data, err := party.BeginRegistration(h)
	must(f, err)
	made := got(protocol.ParseCredentialCreationResponseBytes(d.make(f, Begun{Options: creation.Response}, "").Credential))(f)
	key := got(party.CreateCredential(h, *data, made))(f)
	h.keys = []models.Passkey{{CredentialID: key.ID, PublicKey: key.PublicKey, Flags: uint8(key.Flags.ProtocolValue()), SignCount: key.Authenticator.SignCount}}

	question, data, err := party.BeginLogin(h, webauthn.WithChallenge(bytes.Repeat([]byte("c"), 32)))
	must(f, err)
	signed := d.sign(f, Begun{Options: question.Response})
	right := got(signed.parse())(f)
	if _, err := party.ValidateLogin(h, *data, right); err != nil {
		f.Fatal("the right answer is refused: ", err)
	}
	f.Add([]byte(signed.Credential))
	for _, other := range []func(*device){
		func(d *device) { d.party.Origin = "https://evil.example" },
		func(d *device) { d.Options.UserNotVerified = true },
		func(d *device) { d.Options.UserHandle = nil },
		func(d *device) { d.key = newDevice().key },
	} {
		changed := *d
		other(&changed)
		f.Add([]byte(changed.signAgain(f, Begun{Options: question.Response}).Credential))
	}
	for member, text := range map[string]string{"type": `"password"`, "rawId": `"AA"`, "id": `""`, "response": `{"clientDataJSON":"e30"}`, "clientExtensionResults": `{"appid":true}`, "extra": `[]`} {
		var members map[string]json.RawMessage
		must(f, json.Unmarshal(signed.Credential, &members))
		members[member] = json.RawMessage(text)
		f.Add([]byte(asJSON(f, members)))
	}
	f.Fuzz(func(t *testing.T, credential []byte) {
		parsed, err := (&Answer{Credential: credential}).parse()
		if err != nil {
			return
		}
		used, err := party.ValidateLogin(h, *data, parsed)
		if err != nil || used.Authenticator.CloneWarning {
			return
		}
		if !sameAssertion(parsed, right) || !bytes.Equal(used.ID, key.ID) {
			t.Errorf("accepted: %s", credential)
		}
	})
}

// sameAssertion compares what the device signed. A signature has a second form that holds as well (it is malleable), and
// the rest of the JSON says nothing that counts.
func sameAssertion(a, b *protocol.ParsedCredentialAssertionData) bool {
	return bytes.Equal(a.Raw.AssertionResponse.AuthenticatorData, b.Raw.AssertionResponse.AuthenticatorData) &&
		bytes.Equal(a.Raw.AssertionResponse.ClientDataJSON, b.Raw.AssertionResponse.ClientDataJSON)
}
