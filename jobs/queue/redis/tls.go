package redis

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// secure adds the files of the Options to what the URL says about TLS. config is nil where the URL asks for none.
func secure(config *tls.Config, o Options) (*tls.Config, error) {
	if o.CAFile == "" && o.CertFile == "" && o.KeyFile == "" {
		return config, nil
	}
	if config == nil {
		return nil, errors.New("redis: there are files for TLS, but the URL does not ask for it: begin it with rediss://")
	}
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("redis: CA file: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("redis: CA file %s holds no certificate in PEM form", o.CAFile)
		}
	}
	switch {
	case o.CertFile == "" && o.KeyFile == "":
		return config, nil
	case o.CertFile == "" || o.KeyFile == "":
		return nil, errors.New("redis: a client certificate needs both CertFile and KeyFile")
	}
	load := func() (*tls.Certificate, error) {
		certificate, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("redis: client certificate: %w", err)
		}
		return &certificate, nil
	}
	if _, err := load(); err != nil {
		return nil, err
	}
	// Certificates are renewed while a process lives, so each connection reads the files.
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return load() }
	return config, nil
}
