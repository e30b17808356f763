#!/bin/sh
# Builds a release into dist/: for each platform one archive with the programs, and for all of them SHA256SUMS and the
# bills of materials. Called by `make dist`, which says how a program is built:
#
#   VERSION=v0.1.0 GOBUILD='go build …' PLATFORMS='linux/amd64 …' deploy/release/dist.sh ./services/api …
#
# The archives are reproducible: the same commit, Go and Node give the same bytes, on Linux and on macOS.
set -eu
cd "$(dirname "$0")/../.."

# Newest versions that run with the Go and Node of this project.
CYCLONEDX_GO=github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0
CYCLONEDX_NPM=@cyclonedx/cyclonedx-npm@6.0.1 # `npm sbom --omit dev` leaves out react

# The time of all files in the archives: that of the commit, in seconds since 1970. Outside of a clone it is 0.
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct 2>/dev/null || echo 0)}"

rm -rf dist bin/dist
mkdir -p dist bin/dist
# Built for this machine once. `go run` would build them for the platform that GOOS names.
go build -o bin/dist/archive ./deploy/release/archive
GOBIN="$PWD/bin/dist" go install "$CYCLONEDX_GO"

sbom="windlass-$VERSION-sbom"
for platform in $PLATFORMS; do
    os=${platform%/*} arch=${platform#*/}
    release="windlass-$VERSION-$os-$arch"
    echo "$release"
    mkdir -p "bin/dist/$release" "bin/dist/$sbom/$os-$arch"
    for main in "$@"; do
        name=$(basename "$main")
        GOOS=$os GOARCH=$arch sh -c "$GOBUILD -o 'bin/dist/$release/$name' '$main'"
        # The modules are read from the program itself, so the list is what was linked.
        bin/dist/cyclonedx-gomod bin -json -std -licenses -noserial -notimestamp -version "$VERSION" \
            -output "bin/dist/$sbom/$os-$arch/$name.cdx.json" "bin/dist/$release/$name" 2>bin/dist/sbom.log || {
            cat bin/dist/sbom.log >&2
            exit 1
        }
    done
    cp LICENSE NOTICE README.md "bin/dist/$release/"
    bin/dist/archive -time "$SOURCE_DATE_EPOCH" "bin/dist/$release" "dist/$release.tar.gz"
done
npx --yes "$CYCLONEDX_NPM" --package-lock-only --omit dev --output-reproducible --output-format JSON \
    --output-file "bin/dist/$sbom/web.cdx.json"
bin/dist/archive -time "$SOURCE_DATE_EPOCH" "bin/dist/$sbom" "dist/$sbom.tar.gz"

(
    cd dist
    if command -v sha256sum >/dev/null; then sha256sum -- *.tar.gz; else shasum -a 256 -- *.tar.gz; fi >SHA256SUMS
)

# What was built for this machine has to start, unpacked from its archive.
here="windlass-$VERSION-$(go env GOHOSTOS)-$(go env GOHOSTARCH)"
if [ -e "dist/$here.tar.gz" ]; then
    mkdir bin/dist/try
    tar -xzf "dist/$here.tar.gz" -C bin/dist/try
    said=$("bin/dist/try/$here/windlass" version)
    case $said in
        *"$VERSION"*) echo "$said" ;;
        *)
            echo "windlass version says \"$said\" and not $VERSION" >&2
            exit 1
            ;;
    esac
fi
rm -rf bin/dist
ls -l dist
