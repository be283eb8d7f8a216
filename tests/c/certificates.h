/* Certificates of tests, valid until 2100: two authorities, a server of each for localhost and
 * 127.0.0.1, and a client of the first. The keys protect nothing. */
#ifndef TESTS_C_CERTIFICATES_H
#define TESTS_C_CERTIFICATES_H

#define CERTIFICATE_AUTHORITY_A                                          \
    "-----BEGIN CERTIFICATE-----\n"                                      \
    "MIIBczCCARigAwIBAgICEAAwCgYIKoZIzj0EAwIwHzEdMBsGA1UEAwwUZGpwIHRl\n" \
    "c3QgYXV0aG9yaXR5IGEwIBcNMDAwMTAxMDAwMDAwWhgPMjEwMDEyMzEwMDAwMDBa\n" \
    "MB8xHTAbBgNVBAMMFGRqcCB0ZXN0IGF1dGhvcml0eSBhMFkwEwYHKoZIzj0CAQYI\n" \
    "KoZIzj0DAQcDQgAEshb5LesjuRJjOnvR+RswL2riunizbuwSYNshxUqzfOxspDAs\n" \
    "d6LdkRNIMH39qEEokVrPap1lug0QBpKb2zTJAKNCMEAwDwYDVR0TAQH/BAUwAwEB\n" \
    "/zAOBgNVHQ8BAf8EBAMCAgQwHQYDVR0OBBYEFO4zih60FX18L/z2hR0RnnvWVB/6\n" \
    "MAoGCCqGSM49BAMCA0kAMEYCIQCEcnVaIcqGB4lVqXd7iZlz+F308LfzoRbh6nTg\n" \
    "9pjZuQIhAP07MEJ+L/+hToMfbv/DXYA6SsimJM2A3ZmNPTIbUTFX\n"             \
    "-----END CERTIFICATE-----\n"

#define CERTIFICATE_AUTHORITY_B                                          \
    "-----BEGIN CERTIFICATE-----\n"                                      \
    "MIIBcjCCARigAwIBAgICEAEwCgYIKoZIzj0EAwIwHzEdMBsGA1UEAwwUZGpwIHRl\n" \
    "c3QgYXV0aG9yaXR5IGIwIBcNMDAwMTAxMDAwMDAwWhgPMjEwMDEyMzEwMDAwMDBa\n" \
    "MB8xHTAbBgNVBAMMFGRqcCB0ZXN0IGF1dGhvcml0eSBiMFkwEwYHKoZIzj0CAQYI\n" \
    "KoZIzj0DAQcDQgAEscOYlEPdaTBUnZdppIk4gAFSc25i7qa/q3D6DitGIrE41zHI\n" \
    "iAZ+emY8PRHaNvEpx0LWwC7zMB97bCxo1INs36NCMEAwDwYDVR0TAQH/BAUwAwEB\n" \
    "/zAOBgNVHQ8BAf8EBAMCAgQwHQYDVR0OBBYEFPmzVoOU9eDck46C6JNMVh1/NSy1\n" \
    "MAoGCCqGSM49BAMCA0gAMEUCIDZJCLEUcCGA+Xnj8KWw4W5y//uMtOV1lIRkEO12\n" \
    "giT9AiEAj22YUqNYTIszWPGPPtw/E7rcffmdq/7cHNzjYviGpqs=\n"             \
    "-----END CERTIFICATE-----\n"

#define CERTIFICATE_SERVER_A                                             \
    "-----BEGIN CERTIFICATE-----\n"                                      \
    "MIIBrjCCAVSgAwIBAgICEAIwCgYIKoZIzj0EAwIwHzEdMBsGA1UEAwwUZGpwIHRl\n" \
    "c3QgYXV0aG9yaXR5IGEwIBcNMDAwMTAxMDAwMDAwWhgPMjEwMDEyMzEwMDAwMDBa\n" \
    "MBMxETAPBgNVBAMMCHNlcnZlcl9hMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n" \
    "Yuiuiqs7nn9M5ac4eAA4Q9F0GTf7KGiUMgKwZna7kkpLxkNmycxKTaTvqHN45tIh\n" \
    "hwvXd6Lql5oMVCflFqKSV6OBiTCBhjAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8A\n" \
    "AAEwCQYDVR0TBAIwADAdBgNVHSUEFjAUBggrBgEFBQcDAQYIKwYBBQUHAwIwHQYD\n" \
    "VR0OBBYEFBtlQGCQfiaQnszuxu+YPFM91M4PMB8GA1UdIwQYMBaAFO4zih60FX18\n" \
    "L/z2hR0RnnvWVB/6MAoGCCqGSM49BAMCA0gAMEUCIHZKLjv+E3y6qg9okC1hu0gk\n" \
    "RnDyM8Y7jBEhjxZA01/oAiEA/rlleIH1OCM0JluvUdHDFVJqBIOBAab+gBDoknay\n" \
    "YjQ=\n"                                                             \
    "-----END CERTIFICATE-----\n"

#define CERTIFICATE_SERVER_A_KEY                                         \
    "-----BEGIN PRIVATE KEY-----\n"                                      \
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgdtl3n0Ci7eqWZy5W\n" \
    "JItbKGqZTBjmNNWQ7b3hT+LoIS2hRANCAARi6K6Kqzuef0zlpzh4ADhD0XQZN/so\n" \
    "aJQyArBmdruSSkvGQ2bJzEpNpO+oc3jm0iGHC9d3ouqXmgxUJ+UWopJX\n"         \
    "-----END PRIVATE KEY-----\n"

#define CERTIFICATE_SERVER_B                                             \
    "-----BEGIN CERTIFICATE-----\n"                                      \
    "MIIBrjCCAVSgAwIBAgICEAMwCgYIKoZIzj0EAwIwHzEdMBsGA1UEAwwUZGpwIHRl\n" \
    "c3QgYXV0aG9yaXR5IGIwIBcNMDAwMTAxMDAwMDAwWhgPMjEwMDEyMzEwMDAwMDBa\n" \
    "MBMxETAPBgNVBAMMCHNlcnZlcl9iMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n" \
    "+Et+P/OTRs+pqkzIPRZaQG5UCFcy/bN+AUeXR7TR9xfzQCPnP9Tbcf8x8fwAqO8c\n" \
    "Fi3I4LZTc6uC5fasjxHW36OBiTCBhjAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8A\n" \
    "AAEwCQYDVR0TBAIwADAdBgNVHSUEFjAUBggrBgEFBQcDAQYIKwYBBQUHAwIwHQYD\n" \
    "VR0OBBYEFOrB+hgY5ifSL53JpwQsgwcl2lCeMB8GA1UdIwQYMBaAFPmzVoOU9eDc\n" \
    "k46C6JNMVh1/NSy1MAoGCCqGSM49BAMCA0gAMEUCIQDJcgfzrYn5Mg1D4KoX2X2R\n" \
    "+srYwHIzxE4HArVwpZZ/fAIgLaU/84SeYDhuji6yrWYsm/urwhyAP2vs+7WY2ByQ\n" \
    "ddk=\n"                                                             \
    "-----END CERTIFICATE-----\n"

#define CERTIFICATE_SERVER_B_KEY                                         \
    "-----BEGIN PRIVATE KEY-----\n"                                      \
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg9LTPavRabqsVHVD+\n" \
    "eqV2jsDuJ9O7TtF5Ke5Ffz/t+ryhRANCAAT4S34/85NGz6mqTMg9FlpAblQIVzL9\n" \
    "s34BR5dHtNH3F/NAI+c/1Ntx/zHx/ACo7xwWLcjgtlNzq4Ll9qyPEdbf\n"         \
    "-----END PRIVATE KEY-----\n"

#define CERTIFICATE_CLIENT                                               \
    "-----BEGIN CERTIFICATE-----\n"                                      \
    "MIIBqzCCAVKgAwIBAgICEAQwCgYIKoZIzj0EAwIwHzEdMBsGA1UEAwwUZGpwIHRl\n" \
    "c3QgYXV0aG9yaXR5IGEwIBcNMDAwMTAxMDAwMDAwWhgPMjEwMDEyMzEwMDAwMDBa\n" \
    "MBExDzANBgNVBAMMBmNsaWVudDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABEqo\n" \
    "1frF8BonQE30Y8sF3E4nDjRjJdfR2VSFDNUHDlU8yW1fjhUxN9iyhy7oYs80Qhux\n" \
    "KpkOGDephAUdE4JU14SjgYkwgYYwGgYDVR0RBBMwEYIJbG9jYWxob3N0hwR/AAAB\n" \
    "MAkGA1UdEwQCMAAwHQYDVR0lBBYwFAYIKwYBBQUHAwEGCCsGAQUFBwMCMB0GA1Ud\n" \
    "DgQWBBRH9g2YXChivB2syUnwWHkvHS/rkjAfBgNVHSMEGDAWgBTuM4oetBV9fC/8\n" \
    "9oUdEZ571lQf+jAKBggqhkjOPQQDAgNHADBEAiBzMlC2or+3aTtWqrt90q3zevoZ\n" \
    "hn2maqp31yp+MrtUwAIgaZm+iW6yY5rEbeZQh52kunryf5Ab16b3SZfY4h2Dsq4=\n" \
    "-----END CERTIFICATE-----\n"

#define CERTIFICATE_CLIENT_KEY                                           \
    "-----BEGIN PRIVATE KEY-----\n"                                      \
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg3vUPPAuL4UA8fTgC\n" \
    "1BufvRNPnYTAkHVyaxd9MXkdt1mhRANCAARKqNX6xfAaJ0BN9GPLBdxOJw40YyXX\n" \
    "0dlUhQzVBw5VPMltX44VMTfYsocu6GLPNEIbsSqZDhg3qYQFHROCVNeE\n"         \
    "-----END PRIVATE KEY-----\n"

#endif
