#!/usr/bin/python3
"""Signs and verifies images with the real cursive, the library that Glance, Nova and Cinder verify them with.

    cursive_peer.py make FILE           writes keys, certificates, signatures and chains with cursive's verdicts
    cursive_peer.py verify FILE         reads signatures and says what cursive says of each
"""
import base64
import datetime
import hashlib
import json
import sys
from unittest import mock

from castellan.common.objects import x_509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa
from cryptography.x509.oid import NameOID
from cursive import certificate_utils, signature_utils

ID = "0c7f1c1e-6f0a-4f6c-9a55-2f0a4c1de001"
IMAGE = bytes(range(256)) * 64 + b"the end"
HASHES = {"SHA-224": hashes.SHA224(), "SHA-256": hashes.SHA256(),
          "SHA-384": hashes.SHA384(), "SHA-512": hashes.SHA512()}
CURVES = (ec.SECP384R1, ec.SECP521R1, ec.SECT409K1, ec.SECT409R1, ec.SECT571K1, ec.SECT571R1)
DAY = datetime.timedelta(days=1)
NOW = datetime.datetime.utcnow()


def text(data):
    return base64.b64encode(data).decode()


def der(certificate):
    return certificate.public_bytes(serialization.Encoding.DER)


def certify(key, name, issuer=None, issuer_key=None, ca=None, path_length=None, usage=None, first=-1, last=30):
    """A certificate for a key, self-signed where there is no issuer; days are counted from now."""
    def to_name(common):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
    builder = (x509.CertificateBuilder().subject_name(to_name(name)).issuer_name(to_name(issuer or name))
               .public_key(key.public_key()).serial_number(x509.random_serial_number())
               .not_valid_before(NOW + first * DAY).not_valid_after(NOW + last * DAY))
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca, path_length), True)
    if usage is not None:
        builder = builder.add_extension(x509.KeyUsage(
            "sign" in usage, False, False, False, False, "certify" in usage, False, False, False), True)
    return builder.sign(issuer_key or key, hashes.SHA256())


def sign(key, method, salt=padding.PSS.MAX_LENGTH):
    """As the documents of Glance sign images."""
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(IMAGE, padding.PSS(padding.MGF1(method), salt), method)
    if isinstance(key, dsa.DSAPrivateKey):
        return key.sign(IMAGE, method)
    return key.sign(IMAGE, ec.ECDSA(method))


def verdict(certificate, properties, image):
    """What a service says that has the certificate in its key manager."""
    with mock.patch("cursive.signature_utils.key_manager.API") as manager:
        manager.return_value.get.return_value = x_509.X509(certificate)
        try:
            verifier = signature_utils.get_verifier(
                None, properties.get("img_signature_certificate_uuid"), properties.get("img_signature_hash_method"),
                properties.get("img_signature"), properties.get("img_signature_key_type"))
            for start in range(0, len(image), 1009):
                verifier.update(image[start:start + 1009])
            verifier.verify()
            return "valid"
        except Exception as error:
            return type(error).__name__


def signature(name, key, key_type, method, signed):
    certificate = der(certify(key, name))
    properties = {"img_signature": text(signed), "img_signature_hash_method": method,
                  "img_signature_key_type": key_type, "img_signature_certificate_uuid": ID}
    return {"name": name, "certificate": text(certificate), "properties": properties,
            "verdict": verdict(certificate, properties, IMAGE)}


def signatures():
    keys = [("RSA-PSS", f"rsa{bits}", rsa.generate_private_key(65537, bits)) for bits in (1024, 2048, 2049, 2055, 3072)]
    keys += [("DSA", f"dsa{bits}", dsa.generate_private_key(bits)) for bits in (1024, 2048)]
    keys += [("ECC_" + curve.name.upper(), curve.name, ec.generate_private_key(curve())) for curve in CURVES]
    for key_type, name, key in keys:
        for method, algorithm in HASHES.items():
            try:
                signed = sign(key, algorithm)
            except ValueError:
                continue
            yield signature(f"{name} {method}", key, key_type, method, signed)
    key = keys[1][2]
    for salt in (0, 20, 32, 221, 222):
        yield signature(f"salt {salt}", key, "RSA-PSS", "SHA-256", sign(key, HASHES["SHA-256"], salt))
    yield signature("PKCS1", key, "RSA-PSS", "SHA-256", key.sign(IMAGE, padding.PKCS1v15(), HASHES["SHA-256"]))
    mixed = padding.PSS(padding.MGF1(HASHES["SHA-512"]), padding.PSS.MAX_LENGTH)
    yield signature("other MGF1", key, "RSA-PSS", "SHA-256", key.sign(IMAGE, mixed, HASHES["SHA-256"]))
    yield signature("other hash", key, "RSA-PSS", "SHA-384", sign(key, HASHES["SHA-256"]))


def chains():
    keys = [ec.generate_private_key(ec.SECP384R1()) for _ in range(4)]
    top, middle, low, other = keys
    authority = {"ca": True, "usage": ("certify", "sign")}

    def root(key=top, **more):
        return certify(key, "root", **{**authority, "path_length": 1, **more})

    def between(**more):
        return certify(middle, "middle", "root", top, **{**authority, "path_length": 0, **more})

    def leaf(issuer="root", issuer_key=top, **more):
        return certify(low, "leaf", issuer, issuer_key, **{"usage": ("sign",), **more})

    under = leaf("middle", middle)
    signer = rsa.generate_private_key(65537, 2048)
    old = dsa.generate_private_key(1024)
    lone = certify(low, "lone", usage=("sign",))
    lone_ca = certify(low, "lone", path_length=0, **authority)
    cases = [
        ("root", leaf(), [root()]),
        ("root and middle", under, [root(), between()]),
        ("middle first", under, [between(), root()]),
        ("no root", under, [between()]),
        ("no middle", under, [root()]),
        ("none", leaf(), []),
        ("path too long", under, [root(path_length=0), between()]),
        ("middle may not certify", under, [root(), between(usage=("sign",))]),
        ("middle is no CA", under, [root(), between(ca=False, path_length=None)]),
        ("middle has no key usage", under, [root(), between(usage=None)]),
        ("root has no constraints", leaf(), [root(ca=None)]),
        ("middle expired", under, [root(), between(first=-9, last=-1)]),
        ("middle not yet valid", under, [root(), between(first=1)]),
        ("root expired", leaf(), [root(first=-9, last=-1)]),
        ("leaf expired", leaf(first=-9, last=-1), [root()]),
        ("leaf not yet valid", leaf(first=1), [root()]),
        ("another root of that name", leaf(), [root(other)]),
        ("the right one of two of that name", leaf(), [root(other), root()]),
        ("a stranger beside it", leaf(), [certify(other, "stranger", first=-9, last=-1, **authority), root()]),
        ("self-signed and trusted, but no CA", lone, [lone]),
        ("self-signed CA that is trusted", lone_ca, [lone_ca]),
        ("self-signed, not trusted", lone_ca, [root()]),
        ("RSA root", leaf("root", signer), [root(signer)]),
        ("DSA root", leaf("root", old), [root(old)]),
        ("no path length", leaf(), [root(path_length=None)]),
    ]
    for name, certificate, trusted in cases:
        try:
            context = certificate_utils.CertificateVerificationContext(
                [(str(index), one) for index, one in enumerate(trusted)])
            context.update(certificate)
            context.verify()
            said = "valid"
        except Exception as error:
            said = type(error).__name__
        yield {"name": name, "certificate": text(der(certificate)), "trusted": [text(der(one)) for one in trusted],
               "verdict": said}


def make(file):
    result = {
        "image": text(IMAGE),
        "signatures": list(signatures()),
        "chains": list(chains()),
        "sha224": [hashlib.sha224(IMAGE[:length]).hexdigest() for length in range(300)],
    }
    with open(file, "w", encoding="ascii") as output:
        json.dump(result, output)


def verify(file):
    with open(file, encoding="ascii") as requests:
        for one in json.load(requests):
            print(verdict(base64.b64decode(one["certificate"]), one["properties"], base64.b64decode(one["image"])))


{"make": make, "verify": verify}[sys.argv[1]](sys.argv[2])
