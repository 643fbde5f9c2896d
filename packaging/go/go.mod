module mono-demo.example/monodemo

go 1.24
