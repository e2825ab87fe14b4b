module libcni

go 1.21

require github.com/containernetworking/cni v0.8.1
