module goassist.local/licences

go 1.23

require github.com/google/licensecheck v0.3.1
