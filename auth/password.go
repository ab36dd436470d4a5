package auth

import (
	"bytes"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
)

// Algorithm is the name of a password hash, spelt as RabbitMQ's definitions spell it.
type Algorithm string

const (
	SHA256 Algorithm = "rabbit_password_hashing_sha256" // RabbitMQ's default since 3.6
	SHA512 Algorithm = "rabbit_password_hashing_sha512"
	MD5    Algorithm = "rabbit_password_hashing_md5" // only to let users in whose hashes come from RabbitMQ before 3.6
)

// saltSize is the number of random bytes, in front of the stored hash, that are hashed before the password.
const saltSize = 4

// Valid reports whether the algorithm is known.
func (a Algorithm) Valid() bool { return a == SHA256 || a == SHA512 || a == MD5 }

// sum returns H(salted), nil for an unknown algorithm.
func (a Algorithm) sum(salted []byte) []byte {
	switch a {
	case SHA256:
		h := sha256.Sum256(salted)
		return h[:]
	case SHA512:
		h := sha512.Sum512(salted)
		return h[:]
	case MD5:
		h := md5.Sum(salted)
		return h[:]
	}
	return nil
}

// HashPassword returns base64(salt ‖ H(salt ‖ password)) with a random salt: RabbitMQ's password_hash.
func HashPassword(a Algorithm, password string) (string, error) {
	var salt [saltSize]byte
	rand.Read(salt[:]) // never fails (crypto/rand)
	return hashWithSalt(a, salt, password)
}

func hashWithSalt(a Algorithm, salt [saltSize]byte, password string) (string, error) {
	h := a.sum(append(salt[:], password...))
	if h == nil {
		return "", fmt.Errorf("unknown password hashing algorithm %q", string(a))
	}
	return base64.StdEncoding.EncodeToString(append(salt[:], h...)), nil
}

// VerifyPassword reports whether password has the hash. Blank passwords and empty hashes never fit; nor does a hash
// that cannot be decoded or has the wrong length.
func VerifyPassword(a Algorithm, hash, password string) bool {
	stored, err := base64.StdEncoding.DecodeString(hash)
	if err != nil || len(stored) <= saltSize || password == "" {
		return false
	}
	salt, want := stored[:saltSize], stored[saltSize:]
	got := a.sum(append(bytes.Clone(salt), password...))
	return got != nil && subtle.ConstantTimeCompare(got, want) == 1
}
