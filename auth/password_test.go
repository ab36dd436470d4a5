package auth_test

import (
	"testing"

	"github.com/warren-mq/warren/auth"
)

// Hashes of RabbitMQ 3.10.8 for the password secret and the salt 0a1b2c3d.
var storedHashes = map[auth.Algorithm]string{
	auth.SHA256: "ChssPRI+JY3lRHcvS4j16Ud7PBWYwVCmCmI1M8GRB6ySYjbS",
	auth.SHA512: "ChssPeTFkEO8+H3LsxuXI9HHZu5mCvBZOQoGXYa2nUBzc5AkCR6p4hccYQw5G+RW6z+ovWgDRV9Qt7JpvSUN9CvJmM0=",
	auth.MD5:    "ChssPZC5R3aTp5EtxIPfCJOQpIQ=",
}

func TestPasswordHashesOfRabbitMQ(t *testing.T) {
	for algorithm, hash := range storedHashes {
		if !auth.VerifyPassword(algorithm, hash, "secret") {
			t.Errorf("%s: the right password is refused", algorithm)
		}
		for _, wrong := range []string{"Secret", "secret ", "", "secre"} {
			if auth.VerifyPassword(algorithm, hash, wrong) {
				t.Errorf("%s: %q is accepted", algorithm, wrong)
			}
		}
		for other := range storedHashes {
			if other != algorithm && auth.VerifyPassword(other, hash, "secret") {
				t.Errorf("hash of %s is accepted as %s", algorithm, other)
			}
		}
	}
}

func TestMalformedHashesFitNoPassword(t *testing.T) {
	for _, hash := range []string{"", "!", "Chss", "ChssPQ==", "ChssPRI+JY3l", storedHashes[auth.SHA256] + "\n="} {
		for _, password := range []string{"", "secret"} {
			if auth.VerifyPassword(auth.SHA256, hash, password) {
				t.Errorf("hash %q accepts %q", hash, password)
			}
		}
	}
	if auth.VerifyPassword("rabbit_password_hashing_none", storedHashes[auth.SHA256], "secret") {
		t.Error("an unknown algorithm accepts")
	}
}

func TestHashPasswordIsSaltedAndVerifies(t *testing.T) {
	for algorithm := range storedHashes {
		first, err := auth.HashPassword(algorithm, "pässword")
		if err != nil {
			t.Fatal(err)
		}
		second, err := auth.HashPassword(algorithm, "pässword")
		if err != nil || first == second {
			t.Errorf("%s: %q twice, %v", algorithm, first, err)
		}
		if !auth.VerifyPassword(algorithm, first, "pässword") || auth.VerifyPassword(algorithm, first, "password") {
			t.Errorf("%s does not verify", algorithm)
		}
	}
	if _, err := auth.HashPassword("crc32", "x"); err == nil {
		t.Error("an unknown algorithm hashes")
	}
}

func FuzzVerifyPassword(f *testing.F) {
	for algorithm, hash := range storedHashes {
		f.Add(string(algorithm), hash, "secret")
	}
	f.Fuzz(func(t *testing.T, algorithm, hash, password string) {
		if auth.VerifyPassword(auth.Algorithm(algorithm), hash, password) && password == "" {
			t.Error("a blank password fits")
		}
	})
}
