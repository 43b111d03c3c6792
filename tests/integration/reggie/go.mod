module reggie-example

go 1.23

require (
	github.com/bloodorangeio/reggie v0.6.1
	github.com/opencontainers/go-digest v1.0.0
)

require (
	github.com/asaskevich/govalidator v0.0.0-20230301143203-a9d515a09cc2 // indirect
	github.com/go-resty/resty/v2 v2.7.0 // indirect
	github.com/mitchellh/mapstructure v1.5.0 // indirect
	golang.org/x/net v0.0.0-20211029224645-99673261e6eb // indirect
)
