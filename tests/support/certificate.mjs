// A self-signed certificate for localhost and 127.0.0.1, valid for a hundred years, and its key.
// Made for these tests with openssl req -x509; it protects nothing.
export const cert = `-----BEGIN CERTIFICATE-----
MIIBnDCCAUGgAwIBAgIUPj6N3SLEZxt6TcqTqJqFnvzxsHQwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMTE2MzQ0N1oYDzIxMjYxMDI4
MTYzNDQ3WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAR5Uek2ayesPxIaofLCIRN0kSKLXyJWrQTbukGJZ61QTTzceoT5owrw
YIvejxoOgDSMTT8NyhoRwwvz7ougJfWRo28wbTAdBgNVHQ4EFgQUHKmPcweN6GJa
6bmtQc7GC4xmHbYwHwYDVR0jBBgwFoAUHKmPcweN6GJa6bmtQc7GC4xmHbYwDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSQAwRgIhAJUkJcBqfjpqFQ4Mj9xHrWIgkLXRpbk0uNpBmzP0X62nAiEA
zRCoEVMmF8lXrGcrnRsTxsYv1R1JudgWR8fixx6+Ifs=
-----END CERTIFICATE-----
`;

export const key = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg7uUIbxiVvj0B/FLG
Z8MQAfCR3jLf7BW10we3U8p+DB6hRANCAAR5Uek2ayesPxIaofLCIRN0kSKLXyJW
rQTbukGJZ61QTTzceoT5owrwYIvejxoOgDSMTT8NyhoRwwvz7ougJfWR
-----END PRIVATE KEY-----
`;
